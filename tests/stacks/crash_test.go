package stacks

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	"github.com/aws/aws-sdk-go-v2/service/lambda"

	"github.com/hearthfn/hearth/tests/harness"
)

// ask sends a signed request and returns the answer. The server may be gone.
func (s *shell) ask(service, method, path, target string, body string) (int, string, error) {
	r, err := http.NewRequest(method, s.URL(path), strings.NewReader(body))
	s.Check(err)
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	if target != "" {
		r.Header.Set("Content-Type", "application/x-amz-json-1.1")
		r.Header.Set("X-Amz-Target", target)
	}
	sum := sha256.Sum256([]byte(body))
	s.Check(v4.NewSigner().SignHTTP(context.Background(), s.Credentials, r, hex.EncodeToString(sum[:]), service, "us-east-1", time.Now()))
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		return 0, "", err
	}
	defer answer.Body.Close()
	data, err := io.ReadAll(answer.Body)
	return answer.StatusCode, string(data), err
}

// query calls an operation of CloudFormation. The server may be gone.
func (s *shell) query(action string, parameters ...string) (int, string, error) {
	form := url.Values{"Action": {action}, "Version": {"2010-05-15"}}
	for n := 0; n < len(parameters); n += 2 {
		form.Set(parameters[n], parameters[n+1])
	}
	return s.ask("cloudformation", http.MethodPost, "/", "", form.Encode())
}

func element(text, name string) []string {
	var all []string
	for _, found := range regexp.MustCompile(`<`+name+`>([^<]*)</`+name+`>`).FindAllStringSubmatch(text, -1) {
		all = append(all, found[1])
	}
	return all
}

// crashTemplate has a stack of resources with names, and of resources whose IDs their services
// make. what changes some in place and replaces others; it fails in the end if broken is set.
func crashTemplate(what int, broken bool) string {
	var b bytes.Buffer
	fmt.Fprintf(&b, `{"Resources": {
"Role": {"Type": "AWS::IAM::Role", "Properties": {"Description": "%[1]d", "AssumeRolePolicyDocument": {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}]}}},
"Parameter": {"Type": "AWS::SSM::Parameter", "Properties": {"Name": "/crash/%[2]d", "Type": "String", "Value": "%[1]d"}},
"Api": {"Type": "AWS::ApiGatewayV2::Api", "Properties": {"Name": "crash%[1]d", "ProtocolType": "HTTP"}},
"Stage": {"Type": "AWS::ApiGatewayV2::Stage", "Properties": {"ApiId": {"Ref": "Api"}, "StageName": "$default", "AutoDeploy": true}},
"To": {"Type": "AWS::ApiGatewayV2::Integration", "Properties": {"ApiId": {"Ref": "Api"}, "IntegrationType": "AWS_PROXY", "IntegrationUri": {"Fn::GetAtt": ["Fn0", "Arn"]}, "PayloadFormatVersion": "2.0"}},
"Route": {"Type": "AWS::ApiGatewayV2::Route", "Properties": {"ApiId": {"Ref": "Api"}, "RouteKey": "GET /%[1]d", "Target": {"Fn::Sub": "integrations/${To}"}}}`, what, what%2)
	for n := range 3 {
		fmt.Fprintf(&b, `,
"Fn%[1]d": {"Type": "AWS::Lambda::Function", "Properties": {"FunctionName": "crash-%[1]d-%[3]d", "Runtime": "nodejs22.x", "Handler": "index.handler", "Role": {"Fn::GetAtt": ["Role", "Arn"]}, "Code": {"ZipFile": "exports.handler = async () => '%[2]d'"}}}`, n, what, what%(n+2))
	}
	if broken {
		b.WriteString(`,
"Broken": {"Type": "AWS::Lambda::Permission", "DependsOn": ["Fn0", "Fn1", "Fn2", "Route"], "Properties": {"FunctionName": "nobody", "Action": "lambda:InvokeFunction", "Principal": "*"}}`)
	}
	return b.String() + "}}"
}

// truth compares what there is with what the stack says.
func (s *shell) truth(round string) {
	s.T.Helper()
	var want, have []string
	_, text, err := s.query("ListStackResources", "StackName", "crash")
	s.Check(err)
	for _, one := range strings.Split(text, "<member>") {
		id, kind, status := element(one, "PhysicalResourceId"), element(one, "ResourceType"), element(one, "ResourceStatus")
		if len(id) == 0 || len(kind) == 0 || len(status) == 0 || strings.HasPrefix(status[0], "DELETE") {
			continue
		}
		switch kind[0] {
		case "AWS::IAM::Role", "AWS::SSM::Parameter", "AWS::ApiGatewayV2::Api", "AWS::Lambda::Function":
			want = append(want, id[0])
		}
	}
	functions, err := s.ListFunctions(context.Background(), &lambda.ListFunctionsInput{})
	s.Check(err)
	for _, f := range functions.Functions {
		have = append(have, *f.FunctionName)
	}
	_, text, err = s.ask("iam", http.MethodPost, "/", "", "Action=ListRoles&Version=2010-05-08")
	s.Check(err)
	have = append(have, element(text, "RoleName")...)
	_, text, err = s.ask("apigateway", http.MethodGet, "/v2/apis", "", "")
	s.Check(err)
	for _, found := range regexp.MustCompile(`"apiId":"([^"]*)"`).FindAllStringSubmatch(text, -1) {
		have = append(have, found[1])
	}
	_, text, err = s.ask("ssm", http.MethodPost, "/", "AmazonSSM.DescribeParameters", "{}")
	s.Check(err)
	for _, found := range regexp.MustCompile(`"Name":"([^"]*)"`).FindAllStringSubmatch(text, -1) {
		have = append(have, found[1])
	}
	slices.Sort(want)
	slices.Sort(have)
	if !slices.Equal(want, have) {
		_, events, _ := s.query("DescribeStackEvents", "StackName", "crash")
		s.T.Errorf("%s: the stack has %q, and there is %q\n%.4000s", round, want, have, events)
	}
}

func TestAStackIsTrueWheneverTheServerIsKilled(t *testing.T) {
	harness.Parallel(t)
	random := harness.NewRandom(t)
	s := newShell(t, "")
	seen := map[string]int{}
	status := ""
	for round := range 12 {
		action, parameters := "UpdateStack", []string{"StackName", "crash", "TemplateBody", crashTemplate(round, round%4 == 3), "Capabilities.member.1", "CAPABILITY_IAM"}
		switch {
		case status == "":
			action = "CreateStack"
		case round%6 == 5 || status == "ROLLBACK_COMPLETE" || strings.HasSuffix(status, "FAILED"):
			action, parameters = "DeleteStack", parameters[:2]
		}
		done := make(chan string, 1)
		go func() {
			code, text, err := s.query(action, parameters...)
			done <- fmt.Sprint(code, err, element(text, "Message"))
		}()
		random.Wait(250 * time.Millisecond)
		s.Kill()
		answer := <-done
		s.Start()
		harness.Eventually(t, "the stack comes to rest", func() bool {
			_, text, err := s.query("DescribeStacks", "StackName", "crash")
			s.Check(err)
			status = strings.Join(element(text, "StackStatus"), "")
			return !strings.HasSuffix(status, "IN_PROGRESS")
		})
		seen[status]++
		s.truth(fmt.Sprintf("round %d, %s, %s, then %q", round, action, answer, status))
	}
	t.Log(seen)
}
