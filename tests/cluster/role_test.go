package cluster

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/smithy-go"

	"github.com/hearthfn/hearth/tests/harness"
)

// query calls a service of the query protocol.
func query(a *harness.API, service, version string, form url.Values) harness.Response {
	a.T.Helper()
	form.Set("Version", version)
	body := form.Encode()
	r := a.Request(http.MethodPost, "/", strings.NewReader(body))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	digest := sha256.Sum256([]byte(body))
	a.Check(v4.NewSigner().SignHTTP(context.Background(), a.Credentials, r, hex.EncodeToString(digest[:]), service, "us-east-1", time.Now()))
	return a.Do(r)
}

func TestAnyNodeTakesTheCredentialsOfAFunctionUntilItsEnvironmentEnds(t *testing.T) {
	harness.Parallel(t)
	c := newCluster(t, 2, "")
	home, away := c.Nodes[0], c.Nodes[1]
	query(home, "iam", "2010-05-08", url.Values{"Action": {"CreateRole"}, "RoleName": {"reader"}, "AssumeRolePolicyDocument": {
		`{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":"lambda.amazonaws.com"},"Action":"sts:AssumeRole"}]}`}}).Want(t, 200, "")
	query(home, "iam", "2010-05-08", url.Values{"Action": {"PutRolePolicy"}, "RoleName": {"reader"}, "PolicyName": {"p"}, "PolicyDocument": {
		`{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"lambda:GetFunction","Resource":"*"}]}`}}).Want(t, 200, "")
	tell := func(name string) *lambda.Client {
		t.Helper()
		home.Create(name, harness.NodeZip(t, "const e = process.env; return [e.AWS_ACCESS_KEY_ID, e.AWS_SECRET_ACCESS_KEY, e.AWS_SESSION_TOKEN];"),
			func(in *lambda.CreateFunctionInput) { in.Role = aws.String("arn:aws:iam::000000000000:role/reader") })
		var keys []string
		home.Check(json.Unmarshal(home.Call(name, "{}").Payload, &keys))
		if len(keys) != 3 || keys[2] == "" {
			t.Fatalf("the function has no credentials: %q", keys)
		}
		credentials := aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
			return aws.Credentials{AccessKeyID: keys[0], SecretAccessKey: keys[1], SessionToken: keys[2]}, nil
		})
		return lambda.New(lambda.Options{Region: "us-east-1", BaseEndpoint: aws.String(away.URL("")), Credentials: credentials, RetryMaxAttempts: 1})
	}
	code := func(client *lambda.Client) string {
		_, err := client.GetFunction(t.Context(), &lambda.GetFunctionInput{FunctionName: aws.String("stays")})
		var known smithy.APIError
		if errors.As(err, &known) {
			return known.ErrorCode()
		}
		home.Check(err)
		return ""
	}
	stays, goes := tell("stays"), tell("goes")
	harness.Eventually(t, "the other node takes the credentials", func() bool { return code(stays) == "" && code(goes) == "" })
	if _, err := stays.ListFunctions(t.Context(), &lambda.ListFunctionsInput{}); err == nil || !strings.Contains(err.Error(), "assumed-role/reader/stays is not authorized to perform: lambda:ListFunctions") {
		t.Errorf("the role may do what its policies do not say: %v", err)
	}
	_, err := home.DeleteFunction(t.Context(), &lambda.DeleteFunctionInput{FunctionName: aws.String("goes")})
	home.Check(err)
	harness.Eventually(t, "the credentials end with their environment", func() bool { return code(goes) == "ExpiredTokenException" })
	if got := code(stays); got != "" {
		t.Errorf("the credentials of another environment: %s", got)
	}
	home.Kill()
	harness.Eventually(t, "the credentials end with their node", func() bool { return code(stays) == "ExpiredTokenException" })
}
