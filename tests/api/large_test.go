package api

import (
	"archive/zip"
	"bytes"
	"compress/flate"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/aws-sdk-go-v2/service/lambda/types"

	"github.com/hearthfn/hearth/tests/harness"
)

const (
	maxZip      = 50 << 20
	maxUnpacked = 262144000
)

// padded is an archive of a Node function and size bytes more: random ones, which do
// not become smaller, or zeros, which do. They are the same megabyte again and again,
// made ready once, for compressing 250 MB takes longer than all that is tested here.
func padded(t *testing.T, size int, random bool) []byte {
	t.Helper()
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	f, err := z.Create("index.mjs")
	check := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	check(err)
	_, err = io.WriteString(f, `import fs from 'fs';
export const handler = async () => fs.readdirSync('.').filter((f) => f.startsWith('padding')).reduce((sum, f) => sum + fs.statSync(f).size, 0);`)
	check(err)
	content := make([]byte, 1<<20)
	if random {
		_, _ = rand.NewChaCha8([32]byte{1}).Read(content) // never fails
	}
	add := func(name string, n int, packed []byte, method uint16) {
		f, err := z.CreateRaw(&zip.FileHeader{
			Name: name, Method: method, CRC32: crc32.ChecksumIEEE(content[:n]), UncompressedSize64: uint64(n), CompressedSize64: uint64(len(packed)),
		})
		check(err)
		_, err = f.Write(packed)
		check(err)
	}
	pack := func(n int) ([]byte, uint16) {
		if random {
			return content[:n], zip.Store
		}
		var packed bytes.Buffer
		w, err := flate.NewWriter(&packed, flate.BestSpeed)
		check(err)
		_, err = w.Write(content[:n])
		check(err)
		check(w.Close())
		return packed.Bytes(), zip.Deflate
	}
	whole, method := pack(len(content))
	for i := range size / len(content) {
		add(fmt.Sprint("padding", i), len(content), whole, method)
	}
	rest, _ := pack(size % len(content))
	add("padding", size%len(content), rest, method)
	check(z.Close())
	return b.Bytes()
}

func TestAPITakesCodeUpToAWSsLimits(t *testing.T) {
	harness.Parallel(t)
	a := harness.NewAPI(t, "", "")
	create := func(name string, code []byte) (*lambda.CreateFunctionOutput, error) {
		return a.CreateFunction(context.Background(), &lambda.CreateFunctionInput{
			FunctionName: &name, Role: aws.String(harness.APIRole), Runtime: types.RuntimeNodejs20x, Handler: aws.String("index.handler"),
			Code: &types.FunctionCode{ZipFile: code}, Timeout: aws.Int32(10),
		})
	}
	most := padded(t, maxZip-20<<10, true)
	out, err := create("most", most)
	a.Check(err)
	if out.CodeSize != int64(len(most)) || len(most) > maxZip {
		t.Errorf("a zip of %d bytes has the size %d", len(most), out.CodeSize)
	}
	a.WantCall("most", "{}", fmt.Sprint(maxZip-20<<10))
	_, err = create("toomuch", padded(t, maxZip, true))
	harness.Refused(t, err, 413, "RequestEntityTooLargeException", "Zipped size must be smaller than 52428800 bytes")
	_, err = create("request", padded(t, 53<<20, true)) // over 70167211 bytes in base64
	harness.Refused(t, err, 413, "RequestEntityTooLargeException", "Request must be smaller than 70167211 bytes for the ")

	_, err = create("unpacked", padded(t, maxUnpacked-1<<10, false))
	a.Check(err)
	a.WantCall("unpacked", "{}", fmt.Sprint(maxUnpacked-1<<10))
	_, err = create("bomb", padded(t, maxUnpacked, false))
	harness.Refused(t, err, 400, "InvalidParameterValueException", "Unzipped size must be smaller than 262144000 bytes")
	_, err = a.UpdateFunctionCode(context.Background(), &lambda.UpdateFunctionCodeInput{FunctionName: aws.String("most"), ZipFile: padded(t, maxUnpacked, false)})
	harness.Refused(t, err, 400, "InvalidParameterValueException", "Unzipped size must be smaller than 262144000 bytes")
	a.WantCall("most", "{}", fmt.Sprint(maxZip-20<<10))
}

func TestAPICodeIsDownloadedAsItWasSent(t *testing.T) {
	harness.Parallel(t)
	a := harness.NewAPI(t, "", "")
	ctx := context.Background()
	code := padded(t, 3<<20, true)
	a.Create("f", code)
	got, err := a.GetFunction(ctx, &lambda.GetFunctionInput{FunctionName: aws.String("f")})
	a.Check(err)
	digest := sha256.Sum256(code)
	if *got.Configuration.CodeSha256 != base64.StdEncoding.EncodeToString(digest[:]) {
		t.Errorf("the digest is %s", *got.Configuration.CodeSha256)
	}
	download := func(address string) harness.Response {
		t.Helper()
		r, err := http.NewRequestWithContext(ctx, "GET", address, nil)
		a.Check(err)
		return a.Do(r)
	}
	link := *got.Code.Location
	if r := download(link); r.Status != 200 || r.Body != string(code) {
		t.Errorf("status %d, %d bytes of %d", r.Status, len(r.Body), len(code))
	}
	download(strings.Replace(link, "signature=", "signature=0", 1)).Want(t, 403, "")
	download(strings.Replace(link, "expires=", "expires=9", 1)).Want(t, 403, "")
}

func TestAPIPayloadsOf5MBGoBothWays(t *testing.T) {
	harness.Parallel(t)
	a := harness.NewAPI(t, "", "")
	a.Create("echo", harness.NodeZip(t, "return event;"))
	text := strings.Repeat("hearth! ", 5<<20/8)
	payload, err := json.Marshal(map[string]string{"text": text})
	a.Check(err)
	if got := a.Call("echo", string(payload)); string(got.Payload) != string(payload) {
		t.Errorf("%d bytes came back of %d, error %s", len(got.Payload), len(payload), aws.ToString(got.FunctionError))
	}
	a.Create("large", harness.NodeZip(t, "return 'x'.repeat(event.size);"))
	if got := a.Call("large", `{"size":6291000}`); len(got.Payload) != 6291002 {
		t.Errorf("%d bytes, error %s", len(got.Payload), aws.ToString(got.FunctionError))
	}
	a.Create("stream", harness.ZipOf(t, map[string]string{"index.mjs": "export const handler = awslambda.streamifyResponse(async (event, stream) => stream.end('x'.repeat(event.size)));"}))
	if got := a.Call("stream", `{"size":6291000}`); len(got.Payload) != 6291000 {
		t.Errorf("%d bytes, error %s", len(got.Payload), aws.ToString(got.FunctionError))
	}
	for _, name := range []string{"large", "stream"} {
		got := a.Call(name, `{"size":6291557}`)
		if aws.ToString(got.FunctionError) != "Unhandled" || !strings.Contains(string(got.Payload), `"errorType":"Function.ResponseSizeTooLarge"`) {
			t.Errorf("%s over the limit: error %q, payload %.300s", name, aws.ToString(got.FunctionError), got.Payload)
		}
	}
}

func TestAPIStreamsAResponseAsItIsWritten(t *testing.T) {
	harness.Quiet(t)
	a := harness.NewAPI(t, "", "")
	ctx := context.Background()
	a.Create("f", harness.ZipOf(t, map[string]string{"index.mjs": `export const handler = awslambda.streamifyResponse(async (event, stream) => {
	for (let i = 0; i < 4; i++) {
		stream.write('part ' + i + '\n');
		await new Promise(r => setTimeout(r, 300));
	}
	if (event.fail) throw new Error('asked to fail');
	stream.end();
});`}))
	again := 0
	stream := func(event string) (text string, first, last time.Duration, end types.InvokeWithResponseStreamCompleteEvent) {
		t.Helper()
	begin:
		begun := time.Now()
		out, err := a.InvokeWithResponseStream(ctx, &lambda.InvokeWithResponseStreamInput{FunctionName: aws.String("f"), Payload: []byte(event), LogType: types.LogTypeTail})
		a.Check(err)
		defer out.GetStream().Close()
		for e := range out.GetStream().Events() {
			switch e := e.(type) {
			case *types.InvokeWithResponseStreamResponseEventMemberPayloadChunk:
				if text == "" {
					first = time.Since(begun)
				}
				text += string(e.Value.Payload)
				last = time.Since(begun)
			case *types.InvokeWithResponseStreamResponseEventMemberInvokeComplete:
				end = e.Value
			}
		}
		err = out.GetStream().Err()
		if text == "" && errors.Is(err, net.ErrClosed) && again < 3 {
			again++ // the client closes its own connection at times, as soon as it has the stream
			goto begin
		}
		a.Check(err)
		return text, first, last, end
	}
	const want = "part 0\npart 1\npart 2\npart 3\n"
	text, first, last, end := stream("{}")
	if text != want || last-first < 600*time.Millisecond || end.ErrorCode != nil {
		t.Errorf("%q, the first part after %v, the last after %v, %+v", text, first, last, end)
	}
	if log, err := base64.StdEncoding.DecodeString(aws.ToString(end.LogResult)); err != nil || !strings.Contains(string(log), "REPORT RequestId: ") {
		t.Errorf("the log is %q (%v)", log, err)
	}
	text, _, _, end = stream(`{"fail":true}`)
	if text != want || aws.ToString(end.ErrorCode) == "" || !strings.Contains(aws.ToString(end.ErrorDetails), "asked to fail") {
		t.Errorf("%q, %q %q", text, aws.ToString(end.ErrorCode), aws.ToString(end.ErrorDetails))
	}
	if got := a.Call("f", "{}"); string(got.Payload) != want {
		t.Errorf("gathered %q", got.Payload)
	}
}

func TestAPIAnswersWithTheTailOfTheLog(t *testing.T) {
	harness.Parallel(t)
	a := harness.NewAPI(t, "", "")
	a.Create("f", harness.NodeZip(t, "console.log('begin'); for (let i = 0; i < 200; i++) console.log('line ' + i + ' ' + 'x'.repeat(100)); if (event.fail) throw new TypeError('asked'); return 1;"))
	for _, event := range []string{"{}", `{"fail":true}`} {
		out, err := a.Invoke(context.Background(), &lambda.InvokeInput{FunctionName: aws.String("f"), LogType: types.LogTypeTail, Payload: []byte(event)})
		a.Check(err)
		log, err := base64.StdEncoding.DecodeString(aws.ToString(out.LogResult))
		a.Check(err)
		if len(log) > 4<<10 || len(log) < 3<<10 || strings.Contains(string(log), "begin") || !strings.Contains(string(log), "line 199 ") ||
			!strings.Contains(string(log), "\nEND RequestId: ") || !strings.Contains(string(log), "\nREPORT RequestId: ") {
			t.Errorf("%s: %d bytes of log: %s", event, len(log), log)
		}
		if failed := out.FunctionError != nil; failed != (event != "{}") || failed && !strings.Contains(string(out.Payload), `"errorType":"TypeError","errorMessage":"asked"`) {
			t.Errorf("%s: error %s, payload %s", event, aws.ToString(out.FunctionError), out.Payload)
		}
	}
	if out := a.Call("f", "{}"); out.LogResult != nil {
		t.Errorf("nobody asked for the log: %s", *out.LogResult)
	}
}
