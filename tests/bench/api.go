package main

import (
	"archive/zip"
	"bytes"
	"context"
	"crypto/rand"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/aws-sdk-go-v2/service/lambda/types"
)

const (
	apiRegion = "us-east-1"
	apiRole   = "arn:aws:iam::000000000000:role/bench"
)

func apiScenarios(m machine, s settings) []scenario {
	return []scenario{
		apiInvokeScenario(m, s.rounds, time.Duration(s.seconds)*time.Second),
		apiRoutesScenario(m, s.rounds, time.Duration(s.seconds)*time.Second),
		apiCreateScenario(m),
		apiListScenario(m),
	}
}

// apiStage is a server with the Lambda API and a data directory of its own: what it
// is given to keep must not be in the way of other scenarios.
type apiStage struct {
	*stage
	key aws.Credentials
}

// newAPIStage starts a server with routes beside the API.
func newAPIStage(ctx context.Context, shared *stage, routes string) (*apiStage, error) {
	folder, err := os.MkdirTemp(shared.folder, "api")
	if err != nil {
		return nil, err
	}
	s := &apiStage{
		stage: &stage{caddy: shared.caddy, folder: folder, options: shared.options, address: map[stack]string{}, roots: map[stack][]int{}},
		key:   aws.Credentials{AccessKeyID: "HEARTHBENCH", SecretAccessKey: rand.Text()},
	}
	if err := os.CopyFS(folder, assets); err != nil {
		return nil, err
	}
	if err := s.start(ctx, routes); err != nil {
		s.close()
		return nil, err
	}
	return s, nil
}

func (s *apiStage) start(ctx context.Context, routes string) error {
	global := fmt.Sprintf("\thearth {\n\t\tdata_dir %s\n\t\tregion %s\n\t\taccess_key %s %s\n%s\t}\n",
		filepath.Join(s.folder, "data"), apiRegion, s.key.AccessKeyID, s.key.SecretAccessKey, s.options)
	s.roots[hearthStack] = nil
	return s.startCaddy(ctx, s.caddy, hearthStack, global, "\tlambda_api\n\trespond /ready ok\n"+routes, "/ready", "ok")
}

func (s *apiStage) client(connections int) *lambda.Client {
	return lambda.New(lambda.Options{
		Region: apiRegion, BaseEndpoint: aws.String(s.address[hearthStack]), HTTPClient: newClient(connections), RetryMaxAttempts: 1,
		Credentials: aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) { return s.key, nil }),
	})
}

// createActive makes a function and waits until it may be called.
func createActive(ctx context.Context, client *lambda.Client, m machine, name string, archive []byte) error {
	_, err := client.CreateFunction(ctx, &lambda.CreateFunctionInput{
		FunctionName: &name, Role: aws.String(apiRole), Runtime: types.Runtime(m.nodeRuntime()), Handler: aws.String("index.handler"),
		Timeout: aws.Int32(30), MemorySize: aws.Int32(256), Code: &types.FunctionCode{ZipFile: archive},
	})
	if err != nil {
		return err
	}
	for {
		is, err := client.GetFunctionConfiguration(ctx, &lambda.GetFunctionConfigurationInput{FunctionName: &name})
		switch {
		case err != nil:
			return err
		case is.State == types.StateActive:
			return nil
		case is.State == types.StateFailed:
			return fmt.Errorf("%s: %s", name, aws.ToString(is.StateReason))
		}
		if err := wait(ctx, time.Millisecond); err != nil {
			return err
		}
	}
}

// archive zips the greeting's function, beside so many bytes that do not compress.
func (s *apiStage) archive(ballast int) ([]byte, error) {
	text, err := os.ReadFile(s.asset("node/index.mjs"))
	if err != nil {
		return nil, err
	}
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	add := func(name string, content []byte) error {
		f, err := z.Create(name)
		if err != nil {
			return err
		}
		_, err = f.Write(content)
		return err
	}
	if err := add("index.mjs", text); err != nil {
		return nil, err
	}
	if ballast > 0 {
		random := make([]byte, ballast)
		_, _ = rand.Read(random) // it never fails
		if err := add("ballast", random); err != nil {
			return nil, err
		}
	}
	err = z.Close()
	return b.Bytes(), err
}
