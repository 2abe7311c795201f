package runtimes

import (
	"bytes"
	"crypto/rand"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/hearthfn/hearth/tests/harness"
)

// cachedCode tells what it sees of its start cache, and whether its modules come by it. It
// does not load without its variables.
const cachedCode = `
const fs = require('fs');
const lib = require('./lib.js');
const text = require('./latin.js') + ' ' + require('./wide.js');
const of = (f) => { try { return f(); } catch (e) { return /^(EROFS|EACCES)$/.test(e.code) ? 'refused' : e.code; } };
exports.handler = async () => ({ statusCode: 200, body: [
  of(() => fs.readdirSync('/var/cache').includes('scripts')), lib.way(), lib.place(), (await import('./module.mjs')).word, module.children.length, text,
  of(() => fs.appendFileSync('/var/cache/scripts', 'x')), of(() => fs.writeFileSync('/var/cache/new', 'x')),
].join(' ') });
exports.other = exports.handler;
if (process.env.SECRET !== 'word') throw new Error('no secret');
`

const cachedLib = `const stack = new Error().stack; exports.way = () => stack.includes('startcache.js') ? 'cached' : 'compiled'; exports.place = () => /lib.js:1:\d+/.exec(stack)[0];`

// Text that fits into Latin-1, and text that does not. Where a character is, V8 tells.
const (
	cachedLatin  = "/* ¥ */ const é = 'ÿ'; /* ÀÀ */ module.exports = `${é}`.slice(0, 1) + /:1:\\d+/.exec(new Error().stack)[0];"
	cachedWide   = "/* → */ module.exports = '→é😀' + /:1:\\d+/.exec(new Error().stack)[0];"
	latinAndWide = "ÿ:1:85 →é😀:1:49"
)

const (
	startedByCache = "true cached lib.js:1:15 imported 3 " + latinAndWide + " refused refused"
	startedByCode  = "false compiled lib.js:1:15 imported 3 " + latinAndWide + " refused refused"
)

// cachedSite configures n functions of the same code, each with its own environment, so that
// the first call of each is a cold start. The last has another handler.
func cachedSite(s *harness.Server, n int, options string) {
	code := s.Archive("app.zip", map[string]string{"index.js": cachedCode, "lib.js": cachedLib, "latin.js": cachedLatin, "wide.js": cachedWide,
		"module.mjs": "export const word = 'imported'"})
	functions, site := options+"\n", "function /other other\n"
	for i := range n {
		functions += harness.NodeFunction(fmt.Sprintf("f%d", i), code, "env SECRET word")
		site += fmt.Sprintf("function /f%d f%d\n", i, i)
	}
	functions += strings.Replace(harness.NodeFunction("other", code, "env SECRET word"), "index.handler", "index.other", 1)
	s.Configure(functions, site)
}

func startCaches(t *testing.T, s *harness.Server) []string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(s.Dir, "data/code/starts/*/files/scripts"))
	if err != nil {
		t.Fatal(err)
	}
	return files
}

func TestNodeStartsFromWhatItCompiledBefore(t *testing.T) {
	harness.Parallel(t)
	for name, start := range map[string]func(*harness.Server){
		"root":         (*harness.Server).Spawn,
		"another user": func(s *harness.Server) { startAsNobody(s, "") },
	} {
		t.Run(name, func(t *testing.T) {
			s := harness.NewServer(t, "", "")
			cachedSite(s, 4, "")
			starts := 0
			serve := func() {
				t.Helper()
				start(s)
				starts++
				harness.Eventually(t, "it serves", func() bool { return strings.Count(s.Output(), "serving initial configuration") == starts })
			}
			serve()
			s.Get("/f0").Want(t, 200, startedByCode)
			harness.Eventually(t, "there is a start cache", func() bool { return len(startCaches(t, s)) == 1 })
			s.Get("/f1").Want(t, 200, startedByCache)
			s.Get("/other").Want(t, 200, startedByCode)

			// Damage is found when a server starts.
			s.Stop()
			for _, file := range startCaches(t, s) {
				if err := os.WriteFile(file, []byte("damaged"), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			serve()
			s.Get("/f2").Want(t, 200, startedByCode)
			harness.Eventually(t, "what was damaged is made again", func() bool {
				files := startCaches(t, s)
				for _, file := range files {
					if info, err := os.Stat(file); err == nil && info.Size() > 100 {
						return true
					}
				}
				return false
			})
			s.Get("/f3").Want(t, 200, startedByCache)
		})
	}
}

func TestJavaStartsAnewWhereItsStartCacheIsDamaged(t *testing.T) {
	harness.Slow(t, "it compiles Java")
	harness.Parallel(t)
	s := harness.NewServer(t, "", "")
	_, _, lib := s.JavaCode()
	functions, site := "", ""
	for n := range 4 {
		functions += javaFunction(fmt.Sprintf("f%d", n), "example.Functions", lib, "")
		site += fmt.Sprintf("function /f%[1]d/* f%[1]d\n", n)
	}
	s.Configure(functions, site)
	classes := func() (file string, size int64) {
		files, err := filepath.Glob(filepath.Join(s.Dir, "data/code/starts/*/files/classes"))
		if err != nil || len(files) != 1 {
			return "", 0
		}
		info, err := os.Stat(files[0])
		if err != nil {
			return "", 0
		}
		return files[0], info.Size()
	}
	s.Start()
	s.Get("/f0/cache").Want(t, 200, "false file:")
	harness.Eventually(t, "there is a start cache", func() bool { _, size := classes(); return size > 0 })
	s.Get("/f1/cache").Want(t, 200, "true file:")
	s.Stop()

	file, size := classes()
	whole, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	whole[size/2] ^= 1
	if err := os.WriteFile(file, whole, 0o644); err != nil {
		t.Fatal(err)
	}
	s.Restarted()
	s.Get("/f2/cache").Want(t, 200, "false file:")
	harness.Eventually(t, "what was damaged is made again", func() bool {
		now, err := os.ReadFile(file)
		return err == nil && !bytes.Equal(now, whole)
	})
	s.Get("/f3/cache").Want(t, 200, "true file:")
}

// A server that is killed while it makes start caches leaves neither the processes that make
// them nor a part of one, and the next server makes them.
func TestKillWhileStartCachesAreMadeLeavesNone(t *testing.T) {
	harness.Parallel(t)
	const functions = 4
	code := "exports.handler = async () => ({ statusCode: 200, body: '' + Object.keys(exports).length });\n"
	for n := range 3000 {
		code += fmt.Sprintf("exports.f%[1]d = (a, b) => { let sum = %[1]d; for (const x of [a, b]) sum += x * %[1]d; return 'of ' + sum; };\n", n)
	}
	s := harness.NewServer(t, "", "")
	text, site := "", ""
	for n := range functions {
		archive := s.Archive(fmt.Sprintf("f%d.zip", n), map[string]string{"index.js": code + fmt.Sprintf("// %d\n", n)})
		text += harness.NodeFunction(fmt.Sprintf("f%d", n), archive, "")
		site += fmt.Sprintf("function /f%[1]d f%[1]d\n", n)
	}
	s.Configure(text, site)
	random := harness.NewRandom(t)
	for kill := range functions - 1 {
		s.Start()
		s.Get(fmt.Sprintf("/f%d", kill)).Want(t, 200, "3001")
		random.Wait(400 * time.Millisecond) // at any instant of the making
		tree := harness.Descendants(s.Cmd.Process.Pid)
		s.Kill()
		harness.Eventually(t, "no process is left", func() bool { return !slices.ContainsFunc(tree, harness.Alive) })
	}
	s.Start()
	for n := range functions {
		s.Get(fmt.Sprintf("/f%d", n)).Want(t, 200, "3001")
	}
	harness.Eventually(t, "all start caches are there", func() bool { return len(startCaches(t, s)) == functions })
	if parts, err := filepath.Glob(filepath.Join(s.Dir, "data/code/new/*")); err != nil || len(parts) > 0 {
		t.Errorf("there are %v, %v", parts, err)
	}
}

func TestStartCachesCanBeTurnedOff(t *testing.T) {
	harness.Parallel(t)
	s := harness.NewServer(t, "", "")
	cachedSite(s, 2, "compile_cache off")
	s.Start()
	s.Get("/f0").Want(t, 200, startedByCode)
	s.Get("/f1").Want(t, 200, startedByCode)
	if files := startCaches(t, s); len(files) > 0 {
		t.Errorf("there are %v", files)
	}
}

func TestNodeOfALargeFunctionHasLoadedWhatSDKsLoad(t *testing.T) {
	harness.Parallel(t)
	noise := make([]byte, 200_000)
	rand.Read(noise) // never fails
	const code = `exports.handler = async () => ({ statusCode: 200, body: [before, process.argv.length].join(' ') });
		const before = process.moduleLoadList.some((m) => m.endsWith(' http2'));`
	for name, want := range map[string]string{"small": "false 2", "large": "true 2"} {
		s := harness.NewServer(t, "", "")
		files := map[string]string{"index.js": code}
		if name == "large" {
			files["noise"] = string(noise)
		}
		s.Configure(harness.NodeFunction("f", s.Archive("f.zip", files), ""), "function /f f")
		s.Start()
		s.AwaitStem("nodejs")
		s.Get("/f").Want(t, 200, want)
		if s.FromStems("nodejs20.x") != 1 {
			t.Errorf("%s: it was started without a stem", name)
		}
	}
}
