package vtl

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
)

// What deployment tools generate for preflights, with names of our own.
const (
	serverless = "#set($origin = $input.params(\"Origin\"))\n#if($origin == \"\") #set($origin = $input.params(\"origin\")) #end\n" +
		"#if($origin.matches(\"http://localhost:3000\") || $origin.matches(\"https://.*[.]example[.]com\")) #set($context.responseOverride.header.Access-Control-Allow-Origin = $origin) #end"
	cdk = "#set($origin = $input.params().header.get(\"Origin\"))\n#if($origin == \"\")\n  #set($origin = $input.params().header.get(\"origin\"))\n#end\n" +
		"#if($origin == \"https://a.example\" || $origin == \"https://b.example\")\n  #set($context.responseOverride.header.Access-Control-Allow-Origin = $origin)\n#end"
)

func TestTemplatesOfPreflightsOverrideTheOrigin(t *testing.T) {
	for _, test := range []struct{ template, origin, want string }{
		{serverless, "https://www.example.com", "https://www.example.com"},
		{serverless, "https://www.example.com.evil.example", ""},
		{serverless, "", ""},
		{cdk, "https://b.example", "https://b.example"},
		{cdk, "https://c.example", ""},
		{`#set($all = ["https://a.example", 'https://b.example'])#if($all.contains($input.params('origin')))#set($context.responseOverride.header.access-control-allow-origin = "$input.params('origin')")#end`, "https://b.example", "https://b.example"},
	} {
		template, err := Parse(test.template)
		if err != nil {
			t.Errorf("%s: %v", test.template, err)
			continue
		}
		out, err := template.Run(&Input{Header: http.Header{"Origin": {test.origin}}})
		if err != nil || out.Header["Access-Control-Allow-Origin"] != test.want || strings.TrimSpace(string(out.Text)) != "" {
			t.Errorf("%s from %s: %+v %v", test.template, test.origin, out, err)
		}
	}
}

func TestTemplatesWriteText(t *testing.T) {
	in := &Input{
		Path: map[string]string{"id": "7"}, Query: map[string][]string{"q": {"a", "b"}}, Header: http.Header{"X-A": {"h"}},
		Context: map[string]string{"stage": "live", "identity.sourceIp": "192.0.2.1"}, StageVariables: map[string]string{"table": "pets"},
	}
	for template, want := range map[string]string{
		`{"statusCode": 200}`:                                              `{"statusCode": 200}`,
		`$input.params('id') ${input.params("q")} $5 #`:                    `7 b $5 #`,
		`$context.stage/$context.identity.sourceIp/$stageVariables.table.`: `live/192.0.2.1/pets.`,
		`#if(1 == 2)a#elseif(!true && true)b#else c#end`:                   ` c`,
		`#set($x = "a$stageVariables.table.toUpperCase()")$x $!x.length()`: `aPETS 5`,
		"a## no\nb#* no *#c":                                               "abc",
		`#set($context.responseOverride.status = 204)`:                     ``,
		`#set($l = [1, "b"])$l $l.size()`:                                  `[1, b] 2`,
		`#if($input.params("none"))a#end`:                                  `a`,
	} {
		parsed, err := Parse(template)
		if err != nil {
			t.Errorf("%s: %v", template, err)
			continue
		}
		if out, err := parsed.Run(in); err != nil || string(out.Text) != want {
			t.Errorf("%s: %+v %v, want %q", template, out, err, want)
		}
	}
}

func TestTemplatesThatAreNotSupportedAreRefusedByName(t *testing.T) {
	for template, want := range map[string]string{
		`#foreach($x in $y)`:                     "#foreach without #end",
		`#foreach(x in $y)#end`:                  "#foreach needs a variable",
		`$input.json('$..a')`:                    "is not supported: write $.name",
		`$input.json('$.a[*]')`:                  "is not supported: write $.name",
		`$input.json($x)`:                        "is not supported",
		`$input.params($x)`:                      "is not supported",
		"a\n$util.qr('x')":                       "line 2 of the template: $util.qr('x') is not supported",
		`#macro(x)#end`:                          "#macro is not supported",
		`#define($x)`:                            "#define without #end",
		`#define(x)#end`:                         "#define needs a variable",
		`#define($util)#end`:                     "#define needs a variable of its own",
		`#define($x)$y.keySet()#end`:             "$y is not set",
		`#set($x = "a")$x.replaceFirst("a")`:     "there is no .replaceFirst",
		`#set($x = "a")$x.replaceAll("a", "$1")`: "without variables",
		`#set($x = "a")$x.split($x)`:             "without variables",
		`#set($x = "a")$x[0, 1]`:                 ".get takes 1 values",
		`#set($x = "a")$x[0`:                     `']' is missing`,
		`$util.parseJson("1", "2")`:              "is not supported",
		`#if(true)`:                              "#if without #end",
		`#end`:                                   "#end without #if",
		`#if(true)#else#else#end`:                "#else after #else",
		`#set($input = 1)`:                       "",
		`#set($x = 1 + 1)`:                       `')' is missing`,
		`$x.matches("a")`:                        "$x is not set",
		`#set($x = "a")$x.matches("(?=a)")`:      "invalid or unsupported Perl syntax",
		`$context.responseOverride.status`:       "can be set, not read",
		`#set($context.requestOverride.x = 1)`:   "is not supported",
		strings.Repeat("#if(true)", 100):         "nested deeper",
		`#if(` + strings.Repeat("(", 100):        "nested deeper",
		strings.Repeat("x", maxTemplate+1):       "bytes",
	} {
		_, err := Parse(template)
		var wrong *Error
		if !errors.As(err, &wrong) || !strings.Contains(err.Error(), want) {
			t.Errorf("%.60s: %v, want %q", template, err, want)
		}
	}
}

func TestTemplatesReadTheBody(t *testing.T) {
	in := &Input{Body: []byte(`{"name":"a \"b\"","n":1.50,"list":[{"id":1},{"id":2}],"of":{"y":true,"x":null}}`), Query: map[string][]string{"q": {"ü/'"}}}
	for template, want := range map[string]string{
		`$input.json('$.name')`: `"a \"b\""`,
		`{"body":$input.json('$'),"q":"$util.escapeJavaScript($input.params('q'))"}`:             `{"body":{"list":[{"id":1},{"id":2}],"n":1.50,"name":"a \"b\"","of":{"x":null,"y":true}},"q":"\u00FC\/\'"}`,
		`$input.path('$.n') $input.path("$.list[1].id") $input.path('$.none')`:                   `1.50 2 `,
		`#set($all = $input.path('$'))$all.of.y $all.get("n") $all.list.size()`:                  `true 1.50 2`,
		`#foreach($i in $input.path('$.list'))$i.id#if($foreach.hasNext),#end#end`:               `1,2`,
		`#foreach($k in $input.path('$.of').keySet())$foreach.index:$k;#end`:                     `0:x;1:y;`,
		`#foreach($k in $input.path('$.none'))x#end`:                                             ``,
		`$util.base64Encode($input.path('$.n'))$util.base64Decode("YQ==")$util.urlEncode("a b")`: `MS41MA==aa+b`,
		`$input.body.length()`:  `79`,
		`$input.json('$.none')`: `""`,
	} {
		parsed, err := Parse(template)
		if err != nil {
			t.Errorf("%s: %v", template, err)
			continue
		}
		out, err := parsed.Run(in)
		if err != nil || string(out.Text) != want {
			t.Errorf("%s: %+v %v, want %s", template, out, err, want)
		}
		if reads := strings.Contains(template, "$input.body") || strings.Contains(template, "$input.path") || strings.Contains(template, "$input.json"); parsed.ReadsBody() != reads {
			t.Errorf("%s: it reads the body: %v", template, parsed.ReadsBody())
		}
	}
	for _, template := range []string{`#set($x = $input.path('$.name'))$x.a`, `$util.base64Decode("?")`} {
		parsed, err := Parse(template)
		if err != nil {
			t.Fatal(err)
		}
		if out, err := parsed.Run(in); err == nil {
			t.Errorf("%s: %s", template, out.Text)
		}
	}
}

// What deployment tools generate for functions that are called with an event of a template: a
// definition that is printed for one object after the other, and one that takes a form apart.
const (
	generatedJSON = `
  #define( $each )
    {
    #foreach($name in $from.keySet())
        #set( $n = $util.escapeJavaScript($name) )
        #set( $v = $util.escapeJavaScript($from.get($name)).replaceAll("\\'", "'") )
        "$n":
          "$v"
          #if( $foreach.hasNext ) , #end
    #end
    }
  #end
  {
    "body": $body, "method": "$context.httpMethod", "who": "$context.authorizer.principalId",
    "claims": { "email": "$context.authorizer.claims.email", "sub": "$context.authorizer.claims.sub" },
    #set( $from = $context.authorizer )
    "authorizer": $each,
    #set( $from = $input.params().header )
    "headers": $each,
    #set( $from = $input.params().querystring )
    "query": $each,
    #set( $from = $input.params().path )
    "path": $each,
    #set( $from = $context.identity )
    "identity": $each,
    #set( $from = $stageVariables )
    "variables": $each
  }`
	generatedForm = `
    #define( $body )
      {
      #foreach( $pair in $input.path('$').split('&') )
        #set( $parts = $pair.split('=') )
        #set( $size = $parts.size() )
        #if( $size >= 1 )
          #set( $field = $util.escapeJavaScript($util.urlDecode($parts[0])) )
          #if( $size >= 2 )
            #set($v = $util.escapeJavaScript($util.urlDecode($parts[1])).replaceAll("\\'","'"))
          #else
            #set( $v = '' )
          #end
          "$field": "$v"#if($foreach.hasNext),#end
        #end
      #end
      }
    #end
`
)

func TestTemplatesOfDeploymentToolsMakeEvents(t *testing.T) {
	in := Input{
		Path: map[string]string{"id": "7"}, Query: map[string][]string{"q": {"a", `it's "b"`}}, Header: http.Header{"X-A": {"h"}, "X-B": {"i"}},
		Context:        map[string]string{"httpMethod": "POST", "identity.sourceIp": "192.0.2.1", "stage": "live"},
		StageVariables: map[string]string{"table": "pets"}, Authorizer: []byte(`{"principalId":"me","plan":"gold"}`),
	}
	const rest = `"method":"POST","who":"me","claims":{"email":"","sub":""},"authorizer":{"plan":"gold","principalId":"me"},"headers":{"X-A":"h","X-B":"i"},` +
		`"query":{"q":"it's \"b\""},"path":{"id":"7"},"identity":{"sourceIp":"192.0.2.1"},"variables":{"table":"pets"}}`
	for _, test := range []struct{ template, body, want string }{
		{`#set( $body = $input.json("$") )` + generatedJSON, `{"a":[1]}`, `{"body":{"a":[1]},` + rest},
		{generatedForm + generatedJSON, `a=1&b=it%27s+x&c=&d=e=f`, `{"body":{"a":"1","b":"it's x","c":"","d":"e"},` + rest},
		{generatedForm + generatedJSON, `1=2`, `{"body":{"1":"2"},` + rest},
	} {
		template, err := Parse(test.template)
		if err != nil {
			t.Fatal(err)
		}
		of := in
		of.Body = []byte(test.body)
		out, err := template.Run(&of)
		if err != nil {
			t.Errorf("%s: %v", test.body, err)
			continue
		}
		var compact bytes.Buffer
		if err := json.Compact(&compact, out.Text); err != nil || compact.String() != test.want {
			t.Errorf("%s: %v\n%s\nwant\n%s", test.body, err, compact.String(), test.want)
		}
	}
}

func TestDefinitionsAndParsedText(t *testing.T) {
	in := &Input{Body: []byte(`{"text":"{\"a\":[{\"b\":1.50}]}","list":["x","y"]}`), Query: map[string][]string{"q": {"1"}}}
	for template, want := range map[string]string{
		`#define($x)<$y>#end#set($y = 1)$x#set($y = 2)"$x"`:                                          `<1>"<2>"`,
		`#define($x)a#end#if($x == "a")$x.length()#end`:                                              `1`,
		`#set($o = $util.parseJson($input.path('$.text')))$o.a[0].b $o.a.size()`:                     `1.50 1`,
		`$util.parseJson('[1,{"k":"v"}]')[1]['k']`:                                                   `v`,
		`#set($l = $input.path('$.list'))#set($i = 1)$l[$i]$l[2]`:                                    `y`,
		`#if(2 > 1 && 1 <= 1 && !(1 >= 2) && 1 < 2)a#end`:                                            `a`,
		`#foreach($k in $input.params().keySet())$k #end`:                                            `header path querystring `,
		`#set($p = $input.params())#foreach($k in $p.keySet())$k$p.get($k).size() #end`:              `header0 path0 querystring1 `,
		`#set($x = "a1b22c")$x.replaceAll("[0-9]+", "-") $x.split("[0-9]+")[2] $x.split("c").size()`: `a-b-c c 1`,
	} {
		parsed, err := Parse(template)
		if err != nil {
			t.Errorf("%s: %v", template, err)
			continue
		}
		if out, err := parsed.Run(in); err != nil || string(out.Text) != want {
			t.Errorf("%s: %+v %v, want %q", template, out, err, want)
		}
	}
	for template, want := range map[string]string{
		`#define($x)$x#end$x`:                       "nested too deep",
		`#define($x)$y#end#define($y)a$x#end"$x"$x`: "nested too deep",
		`$util.parseJson("{")`:                      "is no JSON",
		`$util.parseJson("1 2")`:                    "is no JSON",
		`#if("a" > 1)#end`:                          "only numbers",
		`#set($x = "a")$x.b`:                        "no object",
	} {
		parsed, err := Parse(template)
		if err != nil {
			t.Errorf("%s: %v", template, err)
			continue
		}
		if out, err := parsed.Run(in); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %+v %v, want %q", template, out, err, want)
		}
	}
}

func TestDefinitionsThatDoubleEnd(t *testing.T) {
	var chain strings.Builder
	chain.WriteString(`#define($a0)#end`)
	for n := 1; n < 30; n++ {
		fmt.Fprintf(&chain, `#define($a%d)$a%d$a%d#end`, n, n-1, n-1)
	}
	for _, text := range []string{chain.String() + `$a29`, `#set($x = "aaaaaaaaaaaaaaaa")` + strings.Repeat(`#set($x = $x.replaceAll("a", "aaaaaaaa"))`, 20), `#set($x = $input.path('$').split(''))#foreach($a in $x)#set($y = $input.path('$').split(''))#end`} {
		template, err := Parse(text)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := template.Run(&Input{Body: []byte(strings.Repeat("x", 4096))}); !errors.Is(err, ErrTooLarge) {
			t.Errorf("%.60s: %v", text, err)
		}
	}
}

func TestLoopsEnd(t *testing.T) {
	in := &Input{Body: []byte("[" + strings.Repeat("0,", 50000) + "0]")}
	for _, inner := range []string{``, `#if($input.json('$') == "x")#end`, `#if($input.path('$') == "x")#end`, `#foreach($b in $input.path('$'))#end`} {
		parsed, err := Parse(`#foreach($a in $input.path('$'))#foreach($a in $input.path('$'))` + inner + `#end#end`)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := parsed.Run(in); !errors.Is(err, ErrTooLarge) {
			t.Errorf("%s: %v", inner, err)
		}
	}
}

func TestWhatLoopsCompareCounts(t *testing.T) {
	long := &Input{Body: []byte(`{"of":[` + strings.Repeat("0,", 5000) + `0],"n":1.` + strings.Repeat("0", 5000) + `}`)}
	for _, inner := range []string{`#if($input.path('$.of').contains("1"))#end`, `#if($input.path('$.n') > 1)#end`, `#if($a.contains($input.body))#end`} {
		parsed, err := Parse(`#foreach($a in $input.path('$.of'))` + inner + `#end`)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := parsed.Run(long); !errors.Is(err, ErrTooLarge) {
			t.Errorf("%s: %v", inner, err)
		}
		few := &Input{Body: []byte(`{"of":[1,2,3],"n":2}`)}
		if _, err := parsed.Run(few); err != nil {
			t.Errorf("%s of few: %v", inner, err)
		}
	}
}

func TestATemplateThatDoublesItsTextEnds(t *testing.T) {
	for _, step := range []string{`#set($x = "$x$x")`, `#set($x = [$x, $x])`} {
		template, err := Parse(`#set($x = "0123456789")` + strings.Repeat(step, 64))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := template.Run(&Input{}); !errors.Is(err, ErrTooLarge) {
			t.Errorf("%s: %v", step, err)
		}
	}
}

func FuzzParse(f *testing.F) {
	for _, seed := range []string{serverless, cdk, generatedForm + generatedJSON, `#define($x)$x#end$x$util.parseJson($input.body).a[0]`, `#set($x = ["a", 1])#if($x.contains("$x")||!($x == 1))${x}#elseif(false)#else#end## a`, `#*`, `#{if}(1)#{end}`, `$input.params().path.x`, `#foreach($x in $input.path('$.a'))$x.b $foreach.count#end$util.urlEncode($input.json("$['a'][0]"))`} {
		f.Add(seed)
	}
	in := &Input{Header: http.Header{"Origin": {"https://a.example"}}, Path: map[string]string{"x": "y"}, Body: []byte(`{"a":[{"b":1}]}`)}
	f.Fuzz(func(t *testing.T, text string) {
		template, err := Parse(text)
		if err != nil {
			return
		}
		if out, err := template.Run(in); err == nil && len(out.Text) > maxMade {
			t.Errorf("%d bytes", len(out.Text))
		}
	})
}
