package runtimes

import (
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/hearthfn/hearth/tests/harness"
)

// With many calls in flight for one environment, the frames of several go to the runtime by one
// write. Whatever its language, each caller gets its own answer.
func TestManyCallersOfOneEnvironmentGetTheirOwnAnswers(t *testing.T) {
	harness.Slow(t, "it compiles Java")
	harness.Parallel(t)
	s := harness.NewServer(t, "", "")
	const one = "reserved_concurrency 1\nqueue_timeout 30s"
	_, jar, _ := s.JavaCode()
	s.Configure(
		harness.NodeFunction("node", s.Code("node", map[string]string{"index.js": "exports.handler = async (event) => event.rawPath"}), one)+
			harness.PythonFunction("python", s.Code("python", map[string]string{"app.py": "def handler(event, context):\n  return event['rawPath']\n"}), one)+
			rubyFunction("ruby", "app.handler", s.Code("ruby", map[string]string{"app.rb": "def handler(event:, context:) = event['rawPath']\n"}), one)+
			javaFunction("java", "example.Functions$Generic", jar, one)+
			fmt.Sprintf("function custom {\n runtime provided.al2023\n handler any.thing\n code %s\n timeout 5s\n %s\n}\n", s.GoFunction(), one),
		"function /node/* node\nfunction /python/* python\nfunction /ruby/* ruby\nfunction /java/* java\nfunction /custom/* custom")
	s.Start()
	for _, name := range []string{"node", "python", "ruby", "java", "custom"} {
		const callers, each = 32, 20
		var all sync.WaitGroup
		for caller := range callers {
			all.Go(func() {
				for i := range each {
					path := fmt.Sprintf("/%s/%d-%d", name, caller, i)
					want := path
					if name == "custom" {
						want = "hello from Go"
					}
					if r, err := harness.Try(s.Request("GET", path, nil)); err != nil || r.Status != 200 || !strings.HasSuffix(r.Body, want) {
						t.Errorf("%s: got %d %.200s %v", path, r.Status, r.Body, err)
						return
					}
				}
			})
		}
		all.Wait()
	}
}
