package sandbox

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/hearthfn/hearth/tests/harness"
)

// sdkCode tells whether the SDK was there before it was imported, and uses it.
const sdkCode = `
import sys
ahead = "boto3" in sys.modules
import boto3, botocore.session, botocore.loaders
def client(session):
    return session.create_client("sqs", region_name="eu-central-1", aws_access_key_id="x", aws_secret_access_key="x")
first = boto3.client("s3", region_name="eu-central-1", aws_access_key_id="x", aws_secret_access_key="x")
second = botocore.session.Session()
third = botocore.session.Session()
def handler(event, context):
    loaders = [s.get_component("data_loader") for s in (boto3.DEFAULT_SESSION._session, second, third)]
    own = len({id(l) for l in loaders}) == 3 and len({id(l._cache) for l in loaders}) == 3
    return {"statusCode": 200, "body": "%s %s %s %s %s" % (
        ahead, own, botocore.loaders.create_loader.__name__ + botocore.loaders.create_loader.__module__,
        first.meta.endpoint_url, client(third).meta.endpoint_url)}
`

// sdkServer starts a server whose Python has boto3 beside it, as installed on the machine, and a
// module that keeps a file open. The code of four functions begins with imports.
func sdkServer(t *testing.T, imports string) *harness.Server {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("zygotes need a server that is root")
	}
	s := harness.NewServer(t, "", "")
	sdk := s.Code("sdk", map[string]string{"keeper.py": "kept = open('/etc/passwd')"})
	output, err := exec.Command("/usr/bin/python3", "-c", "import boto3, os; print(os.path.dirname(os.path.dirname(boto3.__file__)))").Output()
	if err != nil {
		t.Fatal("boto3 is not installed: ", err)
	}
	packages := strings.TrimSpace(string(output))
	// The later ones are there where Debian's botocore has its certificates from requests.
	for _, name := range []string{"boto3", "botocore", "s3transfer", "jmespath", "dateutil", "urllib3", "six.py", "requests", "certifi", "chardet", "charset_normalizer", "idna"} {
		from := filepath.Join(packages, name)
		if _, err := os.Stat(from); err != nil {
			continue
		}
		if out, err := exec.Command("cp", "-a", from, sdk).CombinedOutput(); err != nil {
			t.Fatalf("cp: %v\n%s", err, out)
		}
	}
	code := s.Code("user", map[string]string{"app.py": imports + sdkCode})
	other := s.Code("other", map[string]string{"app.py": "import sys\ndef handler(event, context):\n    return {'statusCode': 200, 'body': str('bo' + 'to3' in sys.modules)}"})
	functions, site := fmt.Sprintf("runtimes {\n boto3 %s\n}\n", sdk), "function /other other\n"
	for i := range 4 {
		functions += harness.PythonFunction(fmt.Sprintf("f%d", i), code, "timeout 60s")
		site += fmt.Sprintf("function /f%d f%d\n", i, i)
	}
	s.Configure(functions+harness.PythonFunction("other", other, ""), site)
	s.Start()
	return s
}

const clientsWork = "True create_loaderbotocore.loaders https://s3.eu-central-1.amazonaws.com https://sqs.eu-central-1.amazonaws.com"

func TestFunctionsThatUseTheSDKFindItLoaded(t *testing.T) {
	harness.Slow(t, "it loads boto3 again and again")
	harness.Parallel(t)
	s := sdkServer(t, "")
	ahead := 0
	for i := range 4 {
		harness.Eventually(t, "stems of both kinds are ready", func() bool { return s.Metric(`hearth_stems{runtime="python",state="ready"}`) >= 2 })
		r := s.Get(fmt.Sprintf("/f%d", i))
		if was, works, _ := strings.Cut(r.Body, " "); r.Status != 200 || works != clientsWork {
			t.Fatalf("f%d: %d %s", i, r.Status, r.Body)
		} else if was == "True" {
			ahead++
		}
	}
	if ahead < 3 {
		t.Errorf("%d of 4 functions found boto3 loaded", ahead)
	}
	s.Get("/other").Want(t, 200, "False")
}

// An SDK that cannot be loaded ahead is loaded by each function, and the server ends as ever.
func TestSDKThatAZygoteCannotLoadIsLeftToFunctions(t *testing.T) {
	harness.Slow(t, "it loads boto3 again and again")
	harness.Parallel(t)
	s := sdkServer(t, "import keeper\n")
	for i := range 4 {
		harness.Eventually(t, "a stem is ready", func() bool { return s.Metric(`hearth_stems{runtime="python",state="ready"}`) >= 1 })
		r := s.Get(fmt.Sprintf("/f%d", i))
		if _, works, _ := strings.Cut(r.Body, " "); r.Status != 200 || works != clientsWork {
			t.Fatalf("f%d: %d %s", i, r.Status, r.Body)
		}
	}
	harness.Eventually(t, "it is said", func() bool { return strings.Contains(s.Output(), "a module keeps /etc/passwd open") })
}
