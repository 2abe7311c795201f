package lambda_test

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/aws-sdk-go-v2/service/lambda/types"
)

// The texts are AWS's, recorded. It names the version in the answer to Invoke alone. Its
// answer about another account has no text.
func TestNamesOfWhatIsNotHereAreRefusedAsOnAWS(t *testing.T) {
	w := newWorld(t)
	long := strings.Repeat("a", 65)
	lower, elsewhere := aws.String("$latest"), "arn:aws:lambda:ap-southeast-1:000000000000:function:f"
	const (
		missing = "ResourceNotFoundException"
		notHere = "Functions from 'ap-southeast-1' are not reachable in this region ('us-east-1')"
	)
	invoke := func(name string, qualifier *string) error {
		_, err := w.Invoke(t.Context(), &lambda.InvokeInput{FunctionName: &name, Qualifier: qualifier})
		return err
	}
	get := func(name string, qualifier *string) error {
		_, err := w.GetFunction(t.Context(), &lambda.GetFunctionInput{FunctionName: &name, Qualifier: qualifier})
		return err
	}
	remove := func(name string, qualifier *string) error {
		_, err := w.DeleteFunction(t.Context(), &lambda.DeleteFunctionInput{FunctionName: &name, Qualifier: qualifier})
		return err
	}
	create := func(name string, _ *string) error {
		_, err := w.CreateFunction(t.Context(), &lambda.CreateFunctionInput{FunctionName: &name, Role: aws.String(role), Runtime: types.RuntimeNodejs22x, Handler: aws.String("index.handler"),
			Code: &types.FunctionCode{ZipFile: zipped(t, "index.js", "")}})
		return err
	}
	for _, test := range []struct {
		call      func(string, *string) error
		name      string
		qualifier *string
		status    int
		kind      string
		message   string
		whole     bool
	}{
		{invoke, long, nil, 404, missing, "Function not found: " + arnOf + long + ":$LATEST", true},
		{get, long, nil, 404, missing, "Function not found: " + arnOf + long, true},
		{remove, long, nil, 404, missing, "Function not found: " + arnOf + long, true},
		{create, long, nil, 400, "InvalidParameterValueException", "1 validation error detected: Value '" + long + "' at 'functionName' failed to satisfy constraint: Member must have length less than or equal to 64", true},
		{invoke, "f", lower, 404, missing, "Function not found: " + arnOf + "f:$latest", true},
		{get, arnOf + "f", lower, 404, missing, "Function not found: " + arnOf + "f:$latest", true},
		{remove, arnOf + "f", lower, 404, missing, "Function not found: " + arnOf + "f", true},
		{invoke, elsewhere, nil, 404, missing, notHere, true},
		{remove, elsewhere, nil, 404, missing, notHere, true},
		{create, elsewhere, nil, 404, missing, notHere, true},
		{create, "arn:aws:lambda:us-east-1:111111111111:function:f", nil, 403, "AccessDeniedException", "", false},
		{get, "111111111111:function:f", nil, 403, "AccessDeniedException", "", false},
	} {
		err := test.call(test.name, test.qualifier)
		refused(t, err, test.status, test.kind, test.message)
		if test.whole && err != nil && !strings.HasSuffix(err.Error(), test.message) {
			t.Errorf("%q goes on after %q", err, test.message)
		}
	}
}

func TestVariablesThatAreTooLongAreMeasuredInTheirOrder(t *testing.T) {
	w := newWorld(t)
	create := func(name, variables string) (status int, message string) {
		t.Helper()
		code, err := json.Marshal(zipped(t, "index.js", ""))
		check(t, err)
		body := fmt.Sprintf(`{"FunctionName":%q,"Role":%q,"Runtime":"nodejs22.x","Handler":"index.handler","Code":{"ZipFile":%s},"Environment":{"Variables":%s}}`, name, role, code, variables)
		r, err := http.NewRequestWithContext(t.Context(), "POST", w.server.URL+"/2015-03-31/functions", strings.NewReader(body))
		check(t, err)
		digest := sha256.Sum256([]byte(body))
		check(t, v4.NewSigner().SignHTTP(t.Context(), aws.Credentials{AccessKeyID: keyID, SecretAccessKey: secret}, r, hex.EncodeToString(digest[:]), "lambda", "us-east-1", time.Now()))
		answer, err := w.server.Client().Do(r)
		check(t, err)
		defer answer.Body.Close()
		var said struct{ Message string }
		check(t, json.NewDecoder(answer.Body).Decode(&said))
		return answer.StatusCode, said.Message
	}
	status, message := create("f", `{"SMALL": "ok", "LARGE": "`+strings.Repeat("x", 4096)+`"}`)
	const want = `exceeded the 4KB limit. String measured: {"SMALL":"ok","LARGE":"xxx`
	if status != 400 || !strings.Contains(message, want) || !strings.HasSuffix(message, `x"}`) {
		t.Errorf("%d %.300q", status, message)
	}
	// What HTML would escape is one byte long.
	if status, message := create("g", `{"AB":"`+strings.Repeat("&", 4080)+`"}`); status != 201 {
		t.Errorf("%d %.300q", status, message)
	}
}
