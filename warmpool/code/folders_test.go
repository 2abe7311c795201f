package code

import (
	"archive/zip"
	"bytes"
	"errors"
	"fmt"
	"strings"
	"testing"
)

// deepArchive has n files, each in as many folders of its own as a name may hold.
func deepArchive(t *testing.T, n int) []byte {
	t.Helper()
	var b bytes.Buffer
	w := zip.NewWriter(&b)
	for i := range n {
		if _, err := w.Create(fmt.Sprintf("%d/", i) + strings.Repeat("a/", 1999) + "f"); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func TestFoldersThatNoEntryNamesAreCounted(t *testing.T) {
	few, many := deepArchive(t, 40), deepArchive(t, 60)
	if _, err := inspect(bytes.NewReader(few), int64(len(few))); err != nil {
		t.Errorf("80,000 folders: %v", err)
	}
	if _, err := inspect(bytes.NewReader(many), int64(len(many))); !errors.Is(err, ErrInvalid) {
		t.Errorf("60 files in 120,000 folders: got %v, want %v", err, ErrInvalid)
	}
}
