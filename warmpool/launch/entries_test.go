package launch

import (
	"errors"
	"fmt"
	"slices"
	"testing"

	"go.uber.org/zap"

	"github.com/hearthfn/hearth/warmpool/function"
	"github.com/hearthfn/hearth/warmpool/runtimes"
)

func TestAFunctionThatMakesTheZygoteFailIsExcludedAndTheOthersKeepTheirs(t *testing.T) {
	z := newZygotes(&Launcher{log: zap.NewNop()})
	in := runtimes.Interpreter{Family: runtimes.FamilyPython, Path: "/python", SDK: "/sdk"}
	key, one := zygoteKey{in.Path, in.SDK, true}, &zygote{}
	good, bad := &function.Function{Code: "good"}, &function.Function{Code: "bad"}
	names := func() []string { return z.entriesOf(key).names() }

	z.learn(in, good, []string{"boto3", "botocore.client"})
	z.judge(key, one, names(), nil)
	z.learn(in, bad, []string{"boto3", "crashes"})
	one.failed() // as use and used say
	z.judge(key, one, names(), errors.New("it has ended"))
	if got := names(); !slices.Equal(got, []string{"boto3", "botocore.client"}) {
		t.Errorf("the zygote loads %q after it failed", got)
	}
	if one.failures != 0 || !one.retryAt.IsZero() {
		t.Error("no zygote is started for the others")
	}
	z.learn(in, bad, []string{"again"})
	if got := names(); slices.Contains(got, "again") {
		t.Errorf("more was learnt from a code that was excluded: %q", got)
	}
	z.learn(in, good, []string{"botocore.session"})
	if got := names(); !slices.Contains(got, "botocore.session") {
		t.Errorf("nothing more was learnt from the others: %q", got)
	}

	// A failure without anything new is the zygote's own.
	z.judge(key, one, names(), nil)
	one.failed()
	z.judge(key, one, names(), errors.New("no memory"))
	if one.failures != 1 || len(names()) != 3 {
		t.Errorf("%d failures and %q, want one and what has worked", one.failures, names())
	}
}

func TestACodeTeachesTheZygoteLittle(t *testing.T) {
	e := newEntries()
	for i := range 2 * maxLessons {
		e.learn("a", []string{fmt.Sprint("one by one ", i)})
	}
	if n := len(e.names()); n != maxLessons {
		t.Errorf("%d names were learnt one by one, want %d: each replaces the zygote", n, maxLessons)
	}
	var many []string
	for i := range maxEntries {
		many = append(many, fmt.Sprint(i))
	}
	e.learn("b", many)
	if n := len(e.names()); n != maxLessons+maxEntriesOfCode {
		t.Errorf("%d names are known, want %d more of one code", n, maxEntriesOfCode)
	}
	size := e.size
	if e.blame(e.names()) != 2 || len(e.known) != 0 || e.size != 0 || size == 0 {
		t.Errorf("%d names of %d bytes are left", len(e.known), e.size)
	}
}
