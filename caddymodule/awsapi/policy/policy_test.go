package policy

import (
	"strings"
	"testing"
)

func request(action, resource string, context ...string) *Request {
	r := &Request{Action: action, Resource: resource, Context: make(map[string][]string)}
	for n := 0; n+1 < len(context); n += 2 {
		r.Context[context[n]] = append(r.Context[context[n]], context[n+1])
	}
	return r
}

const (
	queue = "arn:aws:sqs:us-east-1:000000000000:orders"
	file  = "arn:aws:s3:::shop/ann/a.txt"
)

func TestStatementsSayWhatAWSDocuments(t *testing.T) {
	for name, test := range map[string]struct {
		statement string
		r         *Request
		want      Effect
	}{
		"all":                        {`"Effect":"Allow","Action":"*","Resource":"*"`, request("sqs:SendMessage", queue), Allow},
		"an action":                  {`"Effect":"Allow","Action":"SQS:sendmessage","Resource":"*"`, request("sqs:SendMessage", queue), Allow},
		"a wildcard":                 {`"Effect":"Allow","Action":["sqs:Send*","s3:?etObject"],"Resource":"*"`, request("s3:GetObject", file), Allow},
		"another":                    {`"Effect":"Allow","Action":"sqs:Send*","Resource":"*"`, request("sqs:ReceiveMessage", queue), Nothing},
		"not an action":              {`"Effect":"Allow","NotAction":"iam:*","Resource":"*"`, request("sqs:SendMessage", queue), Allow},
		"not that action":            {`"Effect":"Allow","NotAction":"sqs:*","Resource":"*"`, request("sqs:SendMessage", queue), Nothing},
		"a resource":                 {`"Effect":"Allow","Action":"*","Resource":"` + queue + `"`, request("sqs:SendMessage", queue), Allow},
		"another's prefix":           {`"Effect":"Allow","Action":"*","Resource":"` + queue + `"`, request("sqs:SendMessage", queue+"2"), Nothing},
		"resources":                  {`"Effect":"Allow","Action":"*","Resource":["x:y:z:a:b:c","arn:aws:sqs:*:*:ord*"]`, request("sqs:SendMessage", queue), Allow},
		"of a folder":                {`"Effect":"Allow","Action":"*","Resource":"arn:aws:s3:::shop/*"`, request("s3:GetObject", file), Allow},
		"not of another part":        {`"Effect":"Allow","Action":"*","Resource":"arn:aws:*:orders"`, request("sqs:SendMessage", queue), Nothing},
		"denied all the same":        {`"Effect":"Deny","Action":"*","Resource":"arn:aws:*:orders"`, request("sqs:SendMessage", queue), Deny},
		"not a resource":             {`"Effect":"Allow","Action":"*","NotResource":"arn:aws:s3:::*"`, request("sqs:SendMessage", queue), Allow},
		"not that resource":          {`"Effect":"Allow","Action":"*","NotResource":"arn:aws:sqs:*:*:*"`, request("sqs:SendMessage", queue), Nothing},
		"no resource":                {`"Effect":"Allow","Action":"*","Resource":"arn:aws:sqs:*:*:*"`, request("sqs:ListQueues", "*"), Nothing},
		"a variable":                 {`"Effect":"Allow","Action":"*","Resource":"arn:aws:s3:::shop/${aws:username}/*"`, request("s3:GetObject", file, "aws:username", "ann"), Allow},
		"a variable's wildcard":      {`"Effect":"Allow","Action":"*","Resource":"arn:aws:s3:::shop/${aws:username}/*"`, request("s3:GetObject", file, "aws:username", "*"), Nothing},
		"an unknown variable":        {`"Effect":"Allow","Action":"*","Resource":"arn:aws:s3:::shop/${aws:x}*"`, request("s3:GetObject", file), Nothing},
		"an unknown one that denies": {`"Effect":"Deny","Action":"*","Resource":"arn:aws:s3:::shop/${aws:x}*"`, request("s3:GetObject", file), Deny},
		"an escaped star":            {`"Effect":"Allow","Action":"*","Resource":"arn:aws:s3:::shop/${*}"`, request("s3:GetObject", "arn:aws:s3:::shop/*"), Allow},
	} {
		d, err := Parse(`{"Version":"2012-10-17","Statement":{` + test.statement + `}}`)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if got := d.Of(test.r); got != test.want {
			t.Errorf("%s: %d, want %d", name, got, test.want)
		}
	}
}

func TestConditionsAreFulfilledAsAWSDocuments(t *testing.T) {
	r := request("a:b", "*", "aws:sourceip", "10.1.2.3", "aws:currenttime", "2026-11-29T12:00:00Z", "n", "5", "s", "Shop", "arn", queue, "b", "true", "list", "x", "list", "y", "aws:principaltag/team", "red", "bin", "aGk=")
	for text, want := range map[string]Effect{
		`"StringEquals":{"S":"Shop"}`:                                  Allow,
		`"StringEquals":{"s":["a","Shop"]}`:                            Allow,
		`"StringEquals":{"s":"shop"}`:                                  Nothing,
		`"StringEqualsIgnoreCase":{"s":"shop"}`:                        Allow,
		`"StringNotEquals":{"s":["a","Shop"]}`:                         Nothing,
		`"StringNotEquals":{"aws:username":"x"}`:                       Allow,
		`"StringNotEqualsIgnoreCase":{"s":"SHOP"}`:                     Nothing,
		`"StringLike":{"s":"Sh*"}`:                                     Allow,
		`"StringNotLike":{"s":"Sh*"}`:                                  Nothing,
		`"StringEquals":{"aws:username":"x"}`:                          Nothing,
		`"StringEqualsIfExists":{"aws:username":"x"}`:                  Allow,
		`"StringEquals":{"s":"Shop"},"Bool":{"b":true}`:                Allow,
		`"StringEquals":{"s":"Shop"},"Bool":{"b":false}`:               Nothing,
		`"StringEquals":{"aws:PrincipalTag/Team":"red"}`:               Allow,
		`"StringEquals":{"s":"${aws:PrincipalTag/team}"}`:              Nothing,
		`"NumericLessThan":{"n":"6"}`:                                  Allow,
		`"NumericGreaterThanEquals":{"n":6}`:                           Nothing,
		`"NumericNotEquals":{"n":5}`:                                   Nothing,
		`"DateGreaterThan":{"aws:CurrentTime":"2026-01-01T00:00:00Z"}`: Allow,
		`"DateLessThan":{"aws:CurrentTime":"2026-01-01"}`:              Nothing,
		`"IpAddress":{"aws:SourceIp":["192.168.0.0/16","10.0.0.0/8"]}`: Allow,
		`"NotIpAddress":{"aws:SourceIp":"10.1.2.3"}`:                   Nothing,
		`"ArnLike":{"arn":"arn:aws:sqs:*:*:ord*"}`:                     Allow,
		`"ArnNotLike":{"arn":"arn:aws:sqs:*:*:ord*"}`:                  Nothing,
		`"ArnEquals":{"arn":"arn:aws:*:orders"}`:                       Nothing,
		`"Null":{"aws:username":"true"}`:                               Allow,
		`"Null":{"s":"true"}`:                                          Nothing,
		`"BinaryEquals":{"bin":"aGk="}`:                                Allow,
		`"ForAllValues:StringEquals":{"list":["x","y","z"]}`:           Allow,
		`"ForAllValues:StringEquals":{"list":["x"]}`:                   Nothing,
		`"ForAnyValue:StringEquals":{"list":["x"]}`:                    Allow,
		`"ForAnyValue:StringEquals":{"aws:username":["x"]}`:            Nothing,
		`"ForAllValues:StringEquals":{"dynamodb:LeadingKeys":["x"]}`:   Nothing, // AWS knows the key, and it is not known here
		`"StringSounds":{"s":"Shop"}`:                                  Nothing,
		`"ForSome:StringEquals":{"s":"Shop"}`:                          Nothing,
	} {
		for _, effect := range []string{"Allow", "Deny"} {
			d, err := Parse(`{"Version":"2012-10-17","Statement":[{"Effect":"` + effect + `","Action":"*","Resource":"*","Condition":{` + text + `}}]}`)
			if err != nil {
				t.Fatalf("%s: %v", text, err)
			}
			expected := want
			unknown := strings.Contains(text, "dynamodb") || strings.Contains(text, "Sounds") || strings.Contains(text, "ForSome")
			if effect == "Deny" && (want == Allow || unknown) {
				expected = Deny
			}
			if got := d.Of(r); got != expected {
				t.Errorf("%s %s: %d, want %d", effect, text, got, expected)
			}
		}
	}
	for name, known := range map[string]bool{"StringEquals": true, "ForAnyValue:StringNotLikeIfExists": true, "Null": true, "NullIfExists": false, "stringlike": true, "X": false, "For:Bool": false, "": false, "DateNotEquals": true} {
		if KnownOperator(name) != known {
			t.Errorf("%s: %v", name, !known)
		}
	}
}

func TestADenyIsStrongerAndABoundaryBounds(t *testing.T) {
	parse := func(statement string) *Document {
		d, err := Parse(`{"Version":"2012-10-17","Statement":[{` + statement + `}]}`)
		if err != nil {
			t.Fatal(err)
		}
		return d
	}
	all, no, some := parse(`"Effect":"Allow","Action":"*","Resource":"*"`), parse(`"Effect":"Deny","Action":"s3:*","Resource":"*"`), parse(`"Effect":"Allow","Action":"sqs:*","Resource":"*"`)
	for _, test := range []struct {
		action   string
		policies []*Document
		boundary *Document
		because  string
	}{
		{"s3:GetObject", []*Document{some, all}, nil, ""},
		{"s3:GetObject", []*Document{all, no}, nil, "with an explicit deny in an identity-based policy"},
		{"s3:GetObject", []*Document{some}, nil, "because no identity-based policy allows the s3:GetObject action"},
		{"s3:GetObject", []*Document{all}, some, "because no permissions boundary allows the s3:GetObject action"},
		{"s3:GetObject", []*Document{all}, no, "with an explicit deny in a permissions boundary"},
		{"sqs:SendMessage", []*Document{all}, some, ""},
		{"sqs:SendMessage", nil, all, "because no identity-based policy allows the sqs:SendMessage action"},
	} {
		if allowed, because := Decide(request(test.action, "arn:aws:x:y:z:q"), test.policies, test.boundary); allowed != (test.because == "") || because != test.because {
			t.Errorf("%+v: %v %s", test, allowed, because)
		}
	}
}

func TestAResourceSaysWhoMayUseIt(t *testing.T) {
	role, account := "arn:aws:iam::000000000000:role/a", "arn:aws:iam::000000000000:root"
	r := &Request{Action: "sts:AssumeRole", Principals: []string{role, account, "000000000000"}, Services: nil}
	for text, want := range map[string]struct {
		effect Effect
		named  bool
	}{
		`"Effect":"Allow","Principal":"*"`:                                {Allow, false},
		`"Effect":"Allow","Principal":{"AWS":"*"}`:                        {Allow, false},
		`"Effect":"Allow","Principal":{"AWS":"` + account + `"}`:          {Allow, false},
		`"Effect":"Allow","Principal":{"AWS":["x","` + role + `"]}`:       {Allow, true},
		`"Effect":"Allow","Principal":{"AWS":"` + role + `b"}`:            {Nothing, false},
		`"Effect":"Allow","Principal":{"Service":"lambda.amazonaws.com"}`: {Nothing, false},
		`"Effect":"Allow","Principal":{"Federated":"` + role + `"}`:       {Nothing, false},
		`"Effect":"Deny","NotPrincipal":{"AWS":"x"}`:                      {Deny, false},
		`"Effect":"Deny","NotPrincipal":{"AWS":"` + role + `"}`:           {Nothing, false},
	} {
		d, err := Parse(`{"Version":"2012-10-17","Statement":[{"Action":"sts:AssumeRole",` + text + `}]}`)
		if err != nil {
			t.Fatal(err)
		}
		if got := d.Of(r); got != want.effect || d.Names(r, []string{role}) != want.named {
			t.Errorf("%s: %d %v", text, got, d.Names(r, []string{role}))
		}
	}
}

func FuzzPolicy(f *testing.F) {
	f.Add(`{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"s3:*","Resource":"arn:aws:s3:::${aws:username}*","Condition":{"ForAnyValue:StringLikeIfExists":{"aws:username":["a*"]}}}]}`, "s3:GetObject", "arn:aws:s3:::ann")
	f.Add(`{"Statement":{"Effect":"Deny","NotAction":[true,1],"NotResource":"*","Principal":{"AWS":"*"}}}`, "", "*")
	f.Fuzz(func(t *testing.T, text, action, resource string) {
		d, err := Parse(text)
		if err != nil {
			return
		}
		r := request(action, resource, "aws:username", "ann")
		if d.Of(r) == Allow && !strings.Contains(text, "Allow") {
			t.Errorf("%q allows", text)
		}
	})
}
