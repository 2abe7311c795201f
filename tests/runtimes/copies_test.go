package runtimes

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/hearthfn/hearth/tests/harness"
)

// A folder that is left alone starts as an archive does, by what was made of it before, and one
// that is edited by what is in it now. Other functions with the same folder are cold starts of it.
func TestFoldersThatAreLeftAloneHaveCachesAsArchivesHave(t *testing.T) {
	harness.Parallel(t)
	const functions = 6
	filler := strings.Repeat("# nothing\n", 500)
	s := harness.NewServer(t, "", "")
	python, node := filepath.Join(s.Dir, "python"), filepath.Join(s.Dir, "node")
	files := map[string]string{
		"python/app.py": filler + "import lib.word, sys, os\ndef handler(event, context):\n" +
			"    cached = sys.modules['lib.word'].__cached__\n" +
			"    return {'statusCode': 200, 'body': '%s %s' % (lib.word.WORD, os.path.exists(cached))}\n",
		"python/lib/word.py": "WORD = 'one'\n",
		"node/index.js": "exports.handler = async () => ({ statusCode: 200, body: [word, require('fs').existsSync('/var/cache/scripts')].join(' ') });\n" +
			"const word = require('word');\n" + strings.ReplaceAll(filler, "#", "//"),
		"node/node_modules/word/index.js": "module.exports = 'one'\n",
	}
	write := func(name, text string) {
		t.Helper()
		path := filepath.Join(s.Dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	for name, text := range files {
		write(name, text)
	}
	config, site := "", ""
	for i := range functions {
		config += harness.PythonFunction(fmt.Sprintf("p%d", i), python, "") + harness.NodeFunction(fmt.Sprintf("n%d", i), node, "")
		site += fmt.Sprintf("function /p%d p%d\nfunction /n%d n%d\n", i, i, i, i)
	}
	s.Configure(config, site)
	s.Start()
	for round, word := range []string{"one", "two"} {
		write("python/lib/word.py", fmt.Sprintf("WORD = '%s'\n", word))
		write("node/node_modules/word/index.js", fmt.Sprintf("module.exports = '%s'\n", word))
		start := func(i int, python, node string) {
			t.Helper()
			s.Get(fmt.Sprintf("/p%d", 3*round+i)).Want(t, 200, word+" "+python)
			s.Get(fmt.Sprintf("/n%d", 3*round+i)).Want(t, 200, word+" "+node)
		}
		made := func(what, pattern string, n int) {
			t.Helper()
			harness.Eventually(t, what, func() bool {
				found, err := filepath.Glob(filepath.Join(s.Dir, "data/code", pattern))
				return err == nil && len(found) == n
			})
		}
		start(0, "False", "false")
		harness.Eventually(t, "the folders are copied", func() bool {
			return strings.Count(s.Output(), "a code folder is copied") == 2*(round+1)
		})
		start(1, "False", "false")
		made("there is bytecode", "compiled/*-cpython-*", round+1)
		made("there is a start cache", "starts/*", round+1)
		start(2, "True", "true")
	}
}
