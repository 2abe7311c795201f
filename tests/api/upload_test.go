package api

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/aws-sdk-go-v2/service/lambda/types"

	"github.com/hearthfn/hearth/tests/harness"
)

// The ID of a key is no secret. Who knows no more of it keeps nobody from deploying.
func TestSlowBodiesWithAWrongSecretKeepNobodyFromDeploying(t *testing.T) {
	harness.Quiet(t)
	a := harness.NewAPI(t, "", "")
	server := net.JoinHostPort(a.Host, strconv.Itoa(a.Port))
	wrong := a.Credentials
	wrong.SecretAccessKey = strings.Repeat("wrong", 8)
	sum := sha256.Sum256(nil)
	r, err := http.NewRequestWithContext(context.Background(), "POST", "http://"+server+"/2015-03-31/functions", nil)
	a.Check(err)
	a.Check(v4.NewSigner().SignHTTP(context.Background(), wrong, r, hex.EncodeToString(sum[:]), "lambda", "us-east-1", time.Now()))

	stop := make(chan struct{})
	var senders, begun sync.WaitGroup
	defer senders.Wait()
	defer close(stop)
	begun.Add(44)
	for n := range 44 {
		first := 100 << 10
		if n < 20 {
			first = 9 << 20 // with which four hold all the memory, and the others wait
		}
		senders.Go(func() {
			arrive := sync.OnceFunc(begun.Done)
			defer arrive()
			conn, err := net.Dial("tcp", server)
			if err != nil {
				t.Error(err)
				return
			}
			defer conn.Close()
			_, _ = fmt.Fprintf(conn, "POST /2015-03-31/functions HTTP/1.1\r\nHost: %s\r\nX-Amz-Date: %s\r\nAuthorization: %s\r\nContent-Length: 69000000\r\n\r\n",
				server, r.Header.Get("X-Amz-Date"), r.Header.Get("Authorization"))
			_, err = io.WriteString(conn, strings.Repeat("x", 100<<10))
			arrive()
			if err == nil {
				_, err = io.WriteString(conn, strings.Repeat("x", first-100<<10))
			}
			for every := time.NewTicker(100 * time.Millisecond); err == nil; {
				select {
				case <-every.C:
					_, err = io.WriteString(conn, "x")
				case <-stop:
					return
				}
			}
		})
	}
	begun.Wait()

	begin := time.Now()
	_, err = a.CreateFunction(context.Background(), &lambda.CreateFunctionInput{
		FunctionName: aws.String("f"), Role: aws.String(harness.APIRole), Runtime: types.RuntimeNodejs20x, Handler: aws.String("index.handler"),
		Code: &types.FunctionCode{ZipFile: padded(t, 45<<20, true)}, Timeout: aws.Int32(10),
	}, func(o *lambda.Options) { o.RetryMaxAttempts = 3 }) // as users have it
	a.Check(err)
	t.Logf("the deployment took %v", time.Since(begin))
	a.WantCall("f", "{}", fmt.Sprint(45<<20))
}

func TestCodeStorageHasAQuota(t *testing.T) {
	harness.Parallel(t)
	a := harness.NewAPI(t, "code_storage 5MB", "")
	ctx := context.Background()
	const exceeded = "CodeStorageExceededException"
	usage := func() (used, limit int64) {
		t.Helper()
		got, err := a.GetAccountSettings(ctx, &lambda.GetAccountSettingsInput{})
		a.Check(err)
		return got.AccountUsage.TotalCodeSize, got.AccountLimit.TotalCodeSize
	}
	create := func(name string, size int, publish bool) error {
		_, err := a.CreateFunction(ctx, &lambda.CreateFunctionInput{
			FunctionName: &name, Role: aws.String(harness.APIRole), Runtime: types.RuntimeNodejs20x, Handler: aws.String("index.handler"),
			Code: &types.FunctionCode{ZipFile: padded(t, size, true)}, Publish: publish,
		})
		return err
	}
	update := func(size int, publish bool) error {
		_, err := a.UpdateFunctionCode(ctx, &lambda.UpdateFunctionCodeInput{FunctionName: aws.String("f"), ZipFile: padded(t, size, true), Publish: publish})
		return err
	}
	publish := func() error {
		_, err := a.PublishVersion(ctx, &lambda.PublishVersionInput{FunctionName: aws.String("f")})
		return err
	}
	layer := func(size int) error {
		_, err := a.PublishLayerVersion(ctx, &lambda.PublishLayerVersionInput{LayerName: aws.String("l"), Content: &types.LayerVersionContentInput{ZipFile: padded(t, size, true)}})
		return err
	}
	refused := func(err error) {
		t.Helper()
		harness.Refused(t, err, 400, exceeded, "Code storage limit exceeded.")
	}
	a.Check(create("f", 2<<20, false))
	if used, limit := usage(); used < 2<<20 || used > 2<<20+10<<10 || limit != 5<<20 {
		t.Errorf("%d of %d are used", used, limit)
	}
	refused(create("g", 4<<20, false))
	_, err := a.GetFunction(ctx, &lambda.GetFunctionInput{FunctionName: aws.String("g")})
	harness.Refused(t, err, 404, "ResourceNotFoundException", "")
	refused(create("g", 3<<19, true)) // neither the function nor its version
	_, err = a.GetFunction(ctx, &lambda.GetFunctionInput{FunctionName: aws.String("g")})
	harness.Refused(t, err, 404, "ResourceNotFoundException", "")

	a.Check(publish()) // 4 MB
	a.Check(publish()) // the same version
	refused(layer(2 << 20))
	refused(update(3<<20+1<<19, false))
	refused(update(2<<20-1<<10, true))
	a.Check(update(1<<20, false)) // less: 3 MB
	a.Check(layer(1 << 20))       // 4 MB
	refused(publish())            // with its own 1 MB and what archives have beside, over 5
	if used, _ := usage(); used < 4<<20 || used > 5<<20 {
		t.Errorf("%d are used", used)
	}

	// A restart changes nothing, and what is deleted has room again.
	a.Stop()
	a.Restart()
	a.Connect()
	refused(publish())
	_, err = a.DeleteLayerVersion(ctx, &lambda.DeleteLayerVersionInput{LayerName: aws.String("l"), VersionNumber: aws.Int64(1)})
	a.Check(err)
	a.Check(publish())
	a.WantCall("f", "{}", fmt.Sprint(1<<20))
}
