package python_test

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/hearthfn/hearth/warmpool/runtimes/python"
	"github.com/hearthfn/hearth/warmpool/runtimes/runtimetest"
)

// compileAhead compiles a folder, and returns the stream.
func compileAhead(t testing.TB, interpreter, root string) []byte {
	t.Helper()
	out, err := os.Create(filepath.Join(t.TempDir(), "stream"))
	if err != nil {
		t.Fatal(err)
	}
	defer out.Close()
	cmd := exec.Command(interpreter, python.CompileArgs(language.WriteBootstrap(t), root)...)
	cmd.ExtraFiles = []*os.File{out}
	if said, err := cmd.CombinedOutput(); err != nil || len(said) > 0 {
		t.Fatalf("%v: %s", err, said)
	}
	stream, err := os.ReadFile(out.Name())
	if err != nil {
		t.Fatal(err)
	}
	return stream
}

func TestBytecodeIsUsedWhateverTheTimeOfItsSource(t *testing.T) {
	onEvery(t, func(t *testing.T, f function) {
		root := t.TempDir()
		for name, text := range map[string]string{
			"app.py":        "import pkg.util, sys\ndef handler(event, context):\n    return pkg.util.answer()\n",
			"pkg/util.py":   "def answer():\n    return 'compiled'\n",
			"pkg/broken.py": "def answer(:\n",
			"pkg/nul.py":    "x = '\x00'\n",
			"pkg/deep.py":   strings.Repeat("(", 100_000),
			"data.txt":      "no code",
		} {
			runtimetest.WriteFile(t, filepath.Join(root, name), text)
		}
		f.Files = map[string]string{
			"app.py":      "raise Exception('the source was compiled')\n",
			"pkg/util.py": "def answer():\n    return 'of the source'\n",
		}
		names := make(map[string]bool)
		err := python.ReadBytecode(bytes.NewReader(compileAhead(t, f.Interpreter, root)), func(name string, data []byte) error {
			module, _, _ := strings.Cut(filepath.Base(name), ".")
			names[filepath.Join(filepath.Dir(filepath.Dir(name)), module)] = true
			f.Files[name] = string(data)
			return nil
		})
		if err != nil || len(names) != 2 || !names["app"] || !names["pkg/util"] {
			t.Fatalf("compiled are %v, %v", names, err)
		}
		p := launch(t, f)
		if got := p.Result(`{}`); got != `"compiled"` {
			t.Errorf("got %s", got)
		}
	})
}

func TestStreamOfBytecodeThatIsCutShortIsReadAsFarAsItGoes(t *testing.T) {
	stream := []byte("\x01\x00\x00\x00\x02\x00\x00\x00aXY\x01\x00\x00\x00\x00\x00\x00\x00b")
	for n := range len(stream) + 1 {
		var got string
		err := python.ReadBytecode(bytes.NewReader(stream[:n]), func(name string, data []byte) error {
			got += name + string(data) + " "
			return nil
		})
		want := ""
		if n >= 11 {
			want = "aXY "
		}
		if n == len(stream) {
			want += "b "
		}
		if err != nil || got != want {
			t.Errorf("of %d bytes: got %q, %v", n, got, err)
		}
	}
}

func FuzzReadBytecode(f *testing.F) {
	f.Add([]byte("\x01\x00\x00\x00\x02\x00\x00\x00aXY"))
	f.Add([]byte("\x00\x00\x00\x00\xff\xff\xff\xff"))
	f.Fuzz(func(t *testing.T, stream []byte) {
		total := 0
		err := python.ReadBytecode(bytes.NewReader(stream), func(name string, data []byte) error {
			if name == "" {
				t.Error("a file without a name")
			}
			total += 8 + len(name) + len(data)
			return nil
		})
		if total > len(stream) || err == nil && len(stream) >= 8 && total == 0 && stream[0] == 0 && stream[1] == 0 && stream[2] == 0 && stream[3] == 0 {
			t.Errorf("%d bytes of %d, %v", total, len(stream), err)
		}
	})
}
