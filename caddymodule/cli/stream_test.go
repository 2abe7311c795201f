package cli

import (
	"os"
	"path/filepath"
	"testing"
)

func TestAFileGetsTextAsItIsAndNoColors(t *testing.T) {
	file, err := os.Create(filepath.Join(t.TempDir(), "out"))
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	c := &Context{Out: NewStream(file, false, false), Err: Stream{Color: true}}
	if got := c.Out.bold("f"); got != "f" {
		t.Errorf("bold gives %q in a file", got)
	}
	if got := c.Err.dim("f"); got != "\x1b[2mf\x1b[0m" {
		t.Errorf("dim gives %q on a terminal, beside output in a file", got)
	}
	const evil = "\x1b]52;c;ZXZpbA==\a"
	if _, err := c.Out.Write([]byte(evil)); err != nil {
		t.Fatal(err)
	}
	if got, err := os.ReadFile(file.Name()); err != nil || string(got) != evil {
		t.Errorf("the file has %q, %v; want %q", got, err, evil)
	}
}
