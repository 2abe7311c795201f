package runtimes

import (
	"fmt"
	"testing"

	"github.com/hearthfn/hearth/tests/harness"
)

func TestArchivesAndLayersAreWhereLambdaHasThem(t *testing.T) {
	harness.Parallel(t)
	for _, mode := range []string{"on", "off"} {
		t.Run("sandbox "+mode, func(t *testing.T) {
			s := harness.NewServer(t, "", "")
			first := s.Archive("first.zip", map[string]string{
				"nodejs/node_modules/greet/index.js": "module.exports = 'first'",
				"nodejs/node_modules/only/index.js":  "module.exports = 'only-first'",
				"python/greet.py":                    "WORD = 'first'",
				"bin/tool!":                          "#!/bin/sh\necho tool-of-first",
			})
			second := s.Archive("second.zip", map[string]string{
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
			js := s.Archive("js.zip", map[string]string{"index.js": `
				const words = [require('greet'), require('only'), require('versioned'), require('both'), require('conditional'), require('child_process').execSync('tool').toString().trim()];
				exports.handler = async () => ({ statusCode: 200, body: words.join(' ') });`})
			mjs := s.Archive("mjs.zip", map[string]string{
				"node_modules/greet/index.js": "module.exports = 'own'",
				"index.mjs": `import greet from 'greet'; import only from 'only'; import conditional from 'conditional';
				const { default: versioned } = await import('versioned');
				export const handler = async () => ({ statusCode: 200, body: [greet, only, versioned, (await import('both')).default, conditional,
					await import('nowhere').catch((e) => e.code)].join(' ') });`})
			plain := s.Archive("plain.zip", map[string]string{"index.mjs": `import only from 'only'; import greet from 'greet';
				export const handler = async () => ({ statusCode: 200, body: only + ' and ' + greet });`})
			py := s.Archive("py.zip", map[string]string{"app.py": `
import greet, subprocess, version
def handler(event, context):
    return {"statusCode": 200, "body": " ".join([greet.WORD, version.WORD, subprocess.check_output("tool", text=True).strip()])}
`})
			layers := fmt.Sprintf("layer %s\nlayer %s\n", first, second)
			s.Configure("sandbox "+mode+"\n"+harness.NodeFunction("js", js, layers)+harness.NodeFunction("mjs", mjs, layers)+harness.NodeFunction("plain", plain, "layer "+first)+

				harness.PythonFunction("py", py, layers), "function /js js\nfunction /mjs mjs\nfunction /plain plain\nfunction /py py")
			s.Start()
			s.Get("/js").Want(t, 200, "second only-first node20 of-20 common-and-of-any tool-of-first")
			s.Get("/plain").Want(t, 200, "only-first and first")
			s.Get("/mjs").Want(t, 200, "own only-first node20 of-20 module-and-of-any ERR_MODULE_NOT_FOUND")
			s.Get("/py").Want(t, 200, "second python3.11 tool-of-first")

			s.Archive("js.zip", map[string]string{"index.js": "exports.handler = async () => ({ statusCode: 200, body: 'replaced ' + require('greet') })"})
			harness.Eventually(t, "the new archive runs", func() bool { return s.Get("/js").Body == "replaced second" })
			s.Archive("second.zip", map[string]string{"nodejs/node_modules/greet/index.js": "module.exports = 'mended'"})
			harness.Eventually(t, "the new layer is there", func() bool { return s.Get("/js").Body == "replaced mended" })
		})
	}
}
