package cli

import (
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/lambda/types"
)

func published(version, code string, change func(*types.FunctionConfiguration)) types.FunctionConfiguration {
	f := types.FunctionConfiguration{
		FunctionName: aws.String("f"), Version: &version, CodeSha256: &code, Runtime: "nodejs22.x", Handler: aws.String("index.handler"),
		MemorySize: aws.Int32(128), Timeout: aws.Int32(3), EphemeralStorage: &types.EphemeralStorage{Size: aws.Int32(512)},
	}
	if change != nil {
		change(&f)
	}
	return f
}

func TestRollbackChoosesTheVersionBeforeTheOneThatRuns(t *testing.T) {
	type list []types.FunctionConfiguration
	latest := published("$LATEST", "two", nil)
	for name, test := range map[string]struct {
		versions list // the newest first
		to       string
		want     string // "" for an error
		code     int
	}{
		"the one before":          {list{latest, published("2", "two", nil), published("1", "one", nil)}, "", "1", 0},
		"latest is not published": {list{latest, published("1", "one", nil)}, "", "1", 0},
		"after the same":          {list{latest, published("3", "two", nil), published("2", "two", nil), published("1", "one", nil)}, "", "1", 0},
		"a second time":           {list{latest, published("4", "two", nil), published("3", "three", nil), published("2", "two", nil), published("1", "one", nil)}, "", "1", 0},
		"forward, by number":      {list{latest, published("4", "two", nil), published("3", "three", nil), published("2", "two", nil)}, "3", "3", 0},
		"a third time":            {list{latest, published("3", "two", nil), published("2", "three", nil), published("1", "two", nil)}, "", "", ExitFailed},
		"deployed after it":       {list{latest, published("4", "two", nil), published("3", "one", nil), published("2", "three", nil), published("1", "one", nil)}, "", "3", 0},
		"by number":               {list{latest, published("2", "two", nil), published("1", "two", nil)}, "1", "1", 0},
		"no such number":          {list{latest, published("1", "one", nil)}, "7", "", ExitFailed},
		"no number":               {list{latest, published("1", "one", nil)}, "live", "", ExitUsage},
		"none before":             {list{latest, published("1", "two", nil)}, "", "", ExitFailed},
		"none published":          {list{latest}, "", "", ExitFailed},
		"another description":     {list{latest, published("1", "two", func(f *types.FunctionConfiguration) { f.Description = aws.String("x") })}, "", "", ExitFailed},
		"another layer": {list{latest, published("1", "two", func(f *types.FunctionConfiguration) {
			f.Layers = []types.Layer{{Arn: aws.String("arn:aws:lambda:us-east-1:000000000000:layer:l:1")}}
		})}, "", "1", 0},
		"another size of /tmp": {list{latest, published("1", "two", func(f *types.FunctionConfiguration) {
			f.EphemeralStorage = &types.EphemeralStorage{Size: aws.Int32(1024)}
		})}, "", "1", 0},
		"another variable": {list{latest, published("1", "two", func(f *types.FunctionConfiguration) {
			f.Environment = &types.EnvironmentResponse{Variables: map[string]string{"A": "b"}}
		})}, "", "1", 0},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := choose(test.versions, test.to)
			if code := ExitCode(err); code != test.code {
				t.Fatalf("%v: exit code %d, want %d", err, code, test.code)
			}
			if err == nil && aws.ToString(got.Version) != test.want {
				t.Errorf("chosen is %s, want %s", aws.ToString(got.Version), test.want)
			}
		})
	}
}
