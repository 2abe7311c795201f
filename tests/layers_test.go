package tests

import (
	"archive/zip"
	"bytes"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"testing"
)

// archive writes a zip and returns its path; a name that ends in ! is executable.
func (s *server) archive(name string, files map[string]string) string {
	s.t.Helper()
	var b bytes.Buffer
	w := zip.NewWriter(&b)
	for file, text := range files {
		mode := os.FileMode(0o600) // as people zip them; environments have users of their own
		if trimmed := file[:len(file)-1]; file[len(file)-1] == '!' {
			file, mode = trimmed, 0o700
		}
		h := &zip.FileHeader{Name: file, Method: zip.Deflate}
		h.SetMode(mode)
		entry, err := w.CreateHeader(h)
		if err != nil {
			s.t.Fatal(err)
		}
		if _, err := io.WriteString(entry, text); err != nil {
			s.t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		s.t.Fatal(err)
	}
	path := filepath.Join(s.dir, name)
	// Into its place in one step, as one deploys.
	if err := os.WriteFile(path+".new", b.Bytes(), 0o600); err != nil {
		s.t.Fatal(err)
	}
	if err := os.Rename(path+".new", path); err != nil {
		s.t.Fatal(err)
	}
	return path
}

func TestArchivesAndLayersAreWhereLambdaHasThem(t *testing.T) {
	for _, mode := range []string{"on", "off"} {
		t.Run("sandbox "+mode, func(t *testing.T) {
			s := newServer(t, "", "")
			first := s.archive("first.zip", map[string]string{
				"nodejs/node_modules/greet/index.js": "module.exports = 'first'",
				"nodejs/node_modules/only/index.js":  "module.exports = 'only-first'",
				"python/greet.py":                    "WORD = 'first'",
				"bin/tool!":                          "#!/bin/sh\necho tool-of-first",
			})
			second := s.archive("second.zip", map[string]string{
				"nodejs/node_modules/greet/index.js":             "module.exports = 'second'",
				"nodejs/node20/node_modules/versioned/index.js":  "module.exports = 'node20'",
				"nodejs/node20/node_modules/both/index.js":       "module.exports = 'of-20'",
				"nodejs/node_modules/both/index.js":              "module.exports = 'of-any'",
				"nodejs/node_modules/conditional/package.json":   `{"exports": {"import": "./module.mjs", "require": "./common.js"}}`,
				"nodejs/node_modules/conditional/module.mjs":     "import both from 'both'; export default 'module-and-' + both",
				"nodejs/node_modules/conditional/common.js":      "module.exports = 'common-and-' + require('both')",
				"python/lib/python3.11/site-packages/version.py": "WORD = 'python3.11'",
				"python/greet.py":                                "WORD = 'second'",
			})
			js := s.archive("js.zip", map[string]string{"index.js": `
				const words = [require('greet'), require('only'), require('versioned'), require('both'), require('conditional'), require('child_process').execSync('tool').toString().trim()];
				exports.handler = async () => ({ statusCode: 200, body: words.join(' ') });`})
			mjs := s.archive("mjs.zip", map[string]string{
				"node_modules/greet/index.js": "module.exports = 'own'",
				"index.mjs": `import greet from 'greet'; import only from 'only'; import conditional from 'conditional';
				const { default: versioned } = await import('versioned');
				export const handler = async () => ({ statusCode: 200, body: [greet, only, versioned, (await import('both')).default, conditional,
					await import('nowhere').catch((e) => e.code)].join(' ') });`})
			plain := s.archive("plain.zip", map[string]string{"index.mjs": `import only from 'only'; import greet from 'greet';
				export const handler = async () => ({ statusCode: 200, body: only + ' and ' + greet });`})
			py := s.archive("py.zip", map[string]string{"app.py": `
import greet, subprocess, version
def handler(event, context):
    return {"statusCode": 200, "body": " ".join([greet.WORD, version.WORD, subprocess.check_output("tool", text=True).strip()])}
`})
			layers := fmt.Sprintf("layer %s\nlayer %s\n", first, second)
			s.configure("sandbox "+mode+"\n"+nodeFunction("js", js, layers)+nodeFunction("mjs", mjs, layers)+nodeFunction("plain", plain, "layer "+first)+

				pythonFunction("py", py, layers), "invoke /js js\ninvoke /mjs mjs\ninvoke /plain plain\ninvoke /py py")
			s.start()
			s.get("/js").want(t, 200, "second only-first node20 of-20 common-and-of-any tool-of-first")
			s.get("/plain").want(t, 200, "only-first and first")
			s.get("/mjs").want(t, 200, "own only-first node20 of-20 module-and-of-any ERR_MODULE_NOT_FOUND")
			s.get("/py").want(t, 200, "second python3.11 tool-of-first")

			s.archive("js.zip", map[string]string{"index.js": "exports.handler = async () => ({ statusCode: 200, body: 'replaced ' + require('greet') })"})
			eventually(t, "the new archive runs", func() bool { return s.get("/js").body == "replaced second" })
			s.archive("second.zip", map[string]string{"nodejs/node_modules/greet/index.js": "module.exports = 'mended'"})
			eventually(t, "the new layer is there", func() bool { return s.get("/js").body == "replaced mended" })
		})
	}
}
