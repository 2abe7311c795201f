package python_test

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// A zygote loads what functions say that they have loaded, and nothing outside of the SDK.
func TestWhatFunctionsNameLeadsNowhereBesideTheSDK(t *testing.T) {
	root := t.TempDir()
	for name, text := range map[string]string{
		"botocore/__init__.py": "",
		"botocore/session.py":  "from botocore.loaders import create_loader",
		"botocore/loaders.py": `
calls = []
class Loader:
    CUSTOMER_DATA_PATH = "/does/not/exist"
    def load_data(self, *args, **named): calls.append([*args, named])
    load_service_model = load_data
    def process(self, *args): calls.append("process")
def create_loader(path=None): return Loader()
`,
	} {
		path := filepath.Join(root, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	names := []string{"botocore.session", "botocore.loaders", "this", "antigravity"}
	for _, call := range []string{
		`["load_data", "endpoints"]`, `["load_service_model", "s3", "service-2", "api_version", null]`, `["load_data", "s3/2006-03-01/service-2"]`,
		`["load_data", "../secret"]`, `["load_data", "s3/../../secret"]`, `["load_data", "/etc/secret"]`, `["load_data", "s3//x"]`, `["load_data", "."]`,
		`["load_data", "x\u0000"]`, `["load_data", "x\n"]`, `["load_data", ["x"]]`, `["load_data", 1]`, `["load_data", "api_version"]`, `["load_service_model", "s3", "api_version", ".."]`,
		`["process", "x"]`, `["__init__"]`, `[]`, `{}`, `x`, ``,
	} {
		names = append(names, "botocore.loaders:"+call)
	}
	text, err := json.Marshal(names)
	if err != nil {
		t.Fatal(err)
	}
	out, err := exec.Command("python3", "-I", "-S", "-c", `
import json, sys
sys.path.insert(0, sys.argv[1])
import hearth_sdk
hearth_sdk.preload(json.loads(sys.argv[3]), sys.argv[2])
import json
print(json.dumps(sys.modules["botocore.loaders"].calls), "antigravity" in sys.modules, "this" in sys.modules)
`, "bootstrap", root, string(text)).CombinedOutput()
	const want = `[["endpoints", {}], ["s3", "service-2", {"api_version": null}], ["s3/2006-03-01/service-2", {}]] False False`
	if got := strings.TrimSpace(string(out)); err != nil || got != want {
		t.Errorf("%v\ngot  %s\nwant %s", err, got, want)
	}
}
