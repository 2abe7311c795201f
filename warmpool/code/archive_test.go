package code

import (
	"archive/zip"
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"sort"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/zap"
)

// A file is an entry of a test's archive.
type file struct {
	name, text string
	mode       fs.FileMode // default 0644
}

func zipOf(t testing.TB, files ...file) []byte {
	t.Helper()
	var b bytes.Buffer
	w := zip.NewWriter(&b)
	for _, f := range files {
		h := &zip.FileHeader{Name: f.name, Method: zip.Deflate}
		if f.mode == 0 {
			f.mode = 0o644
		}
		h.SetMode(f.mode)
		entry, err := w.CreateHeader(h)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := io.WriteString(entry, f.text); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func openStore(t testing.TB) *Store { return openStoreAt(t, t.TempDir()) }

func openStoreAt(t testing.TB, dir string) *Store {
	t.Helper()
	s, err := OpenStore(dir, zap.NewNop())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

func add(t testing.TB, s *Store, files ...file) Archive {
	t.Helper()
	a, err := s.Add(t.Context(), bytes.NewReader(zipOf(t, files...)), MaxUpload)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// look lists a tree: names with modes and contents.
func look(t testing.TB, dir string) string {
	t.Helper()
	var all []string
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || path == dir {
			return err
		}
		rel, _ := filepath.Rel(dir, path)
		info, err := d.Info()
		if err != nil {
			return err
		}
		text := ""
		switch {
		case d.Type()&fs.ModeSymlink != 0:
			link, _ := os.Readlink(path)
			text = "->" + link
		case d.Type().IsRegular():
			b, _ := os.ReadFile(path)
			text = "=" + string(b)
		}
		perm := info.Mode().Perm()
		if d.Type()&fs.ModeSymlink != 0 {
			perm = 0
		}
		all = append(all, fmt.Sprintf("%s%s %o", rel, text, perm))
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	sort.Strings(all)
	return strings.Join(all, "; ")
}

func TestArchiveIsUnpackedWithItsModes(t *testing.T) {
	s := openStore(t)
	a := add(t, s, file{"index.js", "x", 0o600}, file{"bin/run", "#!", 0o700}, file{"empty/", "", fs.ModeDir | 0o700},
		file{"lib/a.so.1", "so", 0}, file{"lib/a.so", "a.so.1", fs.ModeSymlink | 0o777}, file{"./dot.txt", "d", 0})
	tree, err := s.Unpack(t.Context(), a.Digest)
	if err != nil {
		t.Fatal(err)
	}
	const want = "bin 755; bin/run=#! 755; dot.txt=d 644; empty 755; index.js=x 644; lib 755; lib/a.so->a.so.1 0; lib/a.so.1=so 644"
	if got := look(t, tree); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	digest, err := DigestOf(a.Digest.Base64())
	if err != nil || digest != a.Digest {
		t.Errorf("the digest %s comes back as %s, %v", a.Digest, digest, err)
	}
	stored, err := s.Open(t.Context(), a.Digest)
	if err != nil {
		t.Fatal(err)
	}
	defer stored.Close()
	if b, err := io.ReadAll(stored); err != nil || int64(len(b)) != a.Size {
		t.Errorf("%d bytes are kept of %d, %v", len(b), a.Size, err)
	}
}

func TestWhatIsNoCodeIsRefusedByName(t *testing.T) {
	encrypted := zipOf(t, file{"a", "x", 0})
	for i := range encrypted { // the flag in both headers
		if bytes.HasPrefix(encrypted[i:], []byte("PK\x03\x04")) {
			encrypted[i+6] |= 1
		}
		if bytes.HasPrefix(encrypted[i:], []byte("PK\x01\x02")) {
			encrypted[i+8] |= 1
		}
	}
	huge := zipOf(t, file{"a", "x", 0})
	for i := range huge {
		if bytes.HasPrefix(huge[i:], []byte("PK\x01\x02")) {
			binary.LittleEndian.PutUint32(huge[i+24:], 300<<20)
		}
	}
	for name, test := range map[string]struct {
		archive []byte
		want    string
	}{
		"no archive":         {[]byte("hello"), "Could not unzip uploaded file"},
		"empty":              {nil, "Could not unzip uploaded file"},
		"traversal":          {zipOf(t, file{"../evil", "x", 0}), `"../evil": its path leads out`},
		"inner traversal":    {zipOf(t, file{"a/../../evil", "x", 0}), "its path leads out"},
		"absolute":           {zipOf(t, file{"/etc/passwd", "x", 0}), "its path is absolute"},
		"backslash":          {zipOf(t, file{`a\b`, "x", 0}), "folders are parted by /"},
		"NUL":                {zipOf(t, file{"a\x00b", "x", 0}), "holds a NUL"},
		"file and folder":    {zipOf(t, file{"a", "x", 0}, file{"a/b", "y", 0}), "which is no folder"},
		"folder of a link":   {zipOf(t, file{"l", "a", fs.ModeSymlink | 0o777}, file{"l/b", "y", 0}), "which is no folder"},
		"link as folder":     {zipOf(t, file{"l/", "", fs.ModeSymlink | 0o777}), "named as a folder and is none"},
		"device":             {zipOf(t, file{"a", "x", fs.ModeDevice | 0o644}), "neither a file"},
		"pipe":               {zipOf(t, file{"a", "x", fs.ModeNamedPipe | 0o644}), "neither a file"},
		"encrypted":          {encrypted, "it is encrypted"},
		"declared too large": {huge, "Unzipped size must be smaller than 262144000 bytes"},
	} {
		s := openStore(t)
		_, err := s.Add(t.Context(), bytes.NewReader(test.archive), MaxUpload)
		if !errors.Is(err, ErrInvalid) || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: got %v, want %q", name, err, test.want)
		}
		if left := look(t, s.dir); strings.Contains(left, "=") {
			t.Errorf("%s: left behind is %s", name, left)
		}
	}
}

// Only environments follow links, where the paths are theirs.
func TestLinksMayLeadAnywhere(t *testing.T) {
	const link = fs.ModeSymlink | 0o777
	s := openStore(t)
	tree, err := s.Unpack(t.Context(), add(t, s, file{"node_modules", "/opt/nodejs/node_modules", link}, file{"a/up", "../../..", link},
		file{"out", "a/up/etc/passwd", link}, file{"circle", "circle", link}, file{"a/b/in", "../c", link}).Digest)
	if err != nil {
		t.Fatal(err)
	}
	const want = "a 755; a/b 755; a/b/in->../c 0; a/up->../../.. 0; circle->circle 0; node_modules->/opt/nodejs/node_modules 0; out->a/up/etc/passwd 0"
	if got := look(t, tree); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	for to, says := range map[string]string{"": "a path of 1 to", strings.Repeat("x/", 2048): "a path of 1 to", "a\x00b": "holds a NUL"} {
		s := openStore(t)
		_, err := s.Unpack(t.Context(), add(t, s, file{"a", "x", 0}, file{"dir/link", to, link}).Digest)
		if !errors.Is(err, ErrInvalid) || !strings.Contains(err.Error(), says) || !strings.Contains(err.Error(), `"dir/link"`) {
			t.Errorf("link to %.20q: %v", to, err)
		}
		if left := look(t, s.path("tree", "")) + look(t, s.path("new", "")); left != "" {
			t.Errorf("link to %.20q: left behind is %s", to, left)
		}
	}
}

// Gradle writes licences of several jars under one name, and Maven folders with all
// bits of a mode.
func TestLastOfTwoEntriesWinsAndBitsAreMasked(t *testing.T) {
	var b bytes.Buffer
	w := zip.NewWriter(&b)
	for _, e := range []struct {
		name, text string
		mode       uint32
	}{
		{"META-INF/", "", 0o177777}, {"META-INF/LICENSE", "one", 0o100644}, {"META-INF/LICENSE", "two", 0o104755}, {"./META-INF/", "", 0o040000},
		{"was-link", "/etc/passwd", 0o120777}, {"was-link", "now a file", 0o100644}, {"was-file", "x", 0o100644}, {"was-file", "META-INF", 0o120777},
	} {
		h := &zip.FileHeader{Name: e.name, Method: zip.Deflate, CreatorVersion: 3 << 8, ExternalAttrs: e.mode << 16}
		entry, err := w.CreateHeader(h)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := io.WriteString(entry, e.text); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	s := openStore(t)
	a, err := s.Add(t.Context(), bytes.NewReader(b.Bytes()), MaxUpload)
	if err != nil {
		t.Fatal(err)
	}
	tree, err := s.Unpack(t.Context(), a.Digest)
	if err != nil {
		t.Fatal(err)
	}
	if got, want := look(t, tree), "META-INF 755; META-INF/LICENSE=two 755; was-file->META-INF 0; was-link=now a file 644"; got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

// A bomb that lies about its size is stopped at the size it declared.
func TestBombIsStopped(t *testing.T) {
	bomb := zipOf(t, file{"a", strings.Repeat("\x00", 10<<20), 0})
	for i := range bomb {
		if bytes.HasPrefix(bomb[i:], []byte("PK\x01\x02")) {
			binary.LittleEndian.PutUint32(bomb[i+24:], 1000)
		}
	}
	s := openStore(t)
	a, err := s.Add(t.Context(), bytes.NewReader(bomb), MaxUpload)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.Unpack(t.Context(), a.Digest); err == nil {
		t.Error("it was unpacked")
	}
	if left := look(t, s.path("tree", "")) + look(t, s.path("new", "")); left != "" {
		t.Errorf("left behind is %.200s", left)
	}
}

func TestUploadOverTheLimitIsRefused(t *testing.T) {
	s := openStore(t)
	if _, err := s.Add(t.Context(), bytes.NewReader(make([]byte, 101)), 100); !errors.Is(err, ErrTooLarge) {
		t.Errorf("got %v", err)
	}
}

func TestManyUnpackOnce(t *testing.T) {
	s := openStore(t)
	a := add(t, s, file{"index.js", "x", 0})
	var wg sync.WaitGroup
	for range 20 {
		wg.Go(func() {
			tree, err := s.Unpack(t.Context(), a.Digest)
			if err != nil || look(t, tree) != "index.js=x 644" {
				t.Errorf("%v", err)
			}
		})
	}
	wg.Wait()
	other, err := OpenStore(s.dir, zap.NewNop()) // another process
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { other.Close() })
	if tree, err := other.Unpack(t.Context(), a.Digest); err != nil || look(t, tree) != "index.js=x 644" {
		t.Errorf("%v", err)
	}
	if _, err := s.Unpack(t.Context(), Digest(strings.Repeat("0", 64))); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("an archive that is not there: %v", err)
	}
	if _, err := s.Unpack(t.Context(), "../../etc"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("no digest: %v", err)
	}
}

func TestLaterLayersWin(t *testing.T) {
	s := openStore(t)
	dir := t.TempDir()
	write := func(name string, archive []byte) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, archive, 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	one := write("one.zip", zipOf(t, file{"bin/tool", "one", 0o755}, file{"both", "one", 0}, file{"becomes-folder", "one", 0}, file{"becomes-file/x", "one", 0}))
	two := write("two.zip", zipOf(t, file{"lib/x", "two", 0}, file{"both", "two", 0}, file{"becomes-folder/y", "two", 0}, file{"becomes-file", "two", 0}))
	folder := filepath.Join(dir, "three")
	if err := os.MkdirAll(filepath.Join(folder, "lib"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(folder, "lib", "z"), []byte("three"), 0o600); err != nil {
		t.Fatal(err)
	}
	merged, err := s.Layers(t.Context(), []string{one, two, folder})
	if err != nil {
		t.Fatal(err)
	}
	const want = "becomes-file=two 644; becomes-folder 755; becomes-folder/y=two 644; bin 755; bin/tool=one 755; both=two 644; lib 755; lib/x=two 644; lib/z=three 644"
	if got := look(t, merged); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	if again, err := s.Layers(t.Context(), []string{one, two, folder}); err != nil || again != merged {
		t.Errorf("the same layers are at %s and %s, %v", merged, again, err)
	}
	if other, err := s.Layers(t.Context(), []string{two, one, folder}); err != nil || other == merged {
		t.Errorf("another order is at %s, %v", other, err)
	}
	// Edited, it is another layer, and what was merged before stays as it was.
	if err := os.WriteFile(filepath.Join(folder, "lib", "z"), []byte("four"), 0o600); err != nil {
		t.Fatal(err)
	}
	if edited, err := s.Layers(t.Context(), []string{one, two, folder}); err != nil || !strings.Contains(look(t, edited), "lib/z=four") {
		t.Errorf("after an edit: %s, %v", edited, err)
	}
	if got := look(t, merged); got != want {
		t.Errorf("what was merged before is now %s", got)
	}
	if single, err := s.Layers(t.Context(), []string{folder}); err != nil || single != folder {
		t.Errorf("one folder is at %s, %v", single, err)
	}
	if none, err := s.Layers(t.Context(), nil); err != nil || none != "" {
		t.Errorf("no layers are at %q, %v", none, err)
	}
}

func TestChangedArchiveHasAnotherFolderAndAHalfWrittenOneTheOld(t *testing.T) {
	s := openStore(t)
	path := filepath.Join(t.TempDir(), "code.zip")
	put := func(b []byte, age time.Duration) {
		if err := os.WriteFile(path, b, 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Chtimes(path, time.Time{}, time.Now().Add(-age)); err != nil {
			t.Fatal(err)
		}
	}
	put(zipOf(t, file{"v", "1", 0}), time.Hour)
	first, err := s.Folder(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	whole := zipOf(t, file{"v", "22", 0})
	put(whole[:20], time.Minute)
	if half, err := s.Folder(t.Context(), path); err != nil || half != first {
		t.Errorf("half written it is at %s, %v", half, err)
	}
	put(whole, 0)
	second, err := s.Folder(t.Context(), path)
	if err != nil || second == first || look(t, second) != "v=22 644" {
		t.Errorf("changed, it is at %s, %v", second, err)
	}
	if err := Check(path); err != nil {
		t.Error(err)
	}
	put(whole[:20], 0)
	if err := Check(path); !errors.Is(err, ErrInvalid) {
		t.Errorf("got %v", err)
	}
	if err := Check(path + ".none"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("got %v", err)
	}
}

func TestCollectKeepsWhatIsReferredTo(t *testing.T) {
	s := openStore(t)
	kept, gone := add(t, s, file{"a", "kept", 0}), add(t, s, file{"a", "gone", 0})
	for _, a := range []Archive{kept, gone} {
		if _, err := s.Unpack(t.Context(), a.Digest); err != nil {
			t.Fatal(err)
		}
	}
	keep := func(d Digest) bool { return d == kept.Digest }
	if err := s.Collect(t.Context(), keep, time.Hour); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(s.Tree(gone.Digest)); err != nil {
		t.Errorf("what is young was collected: %v", err)
	}
	if err := s.Collect(t.Context(), keep, 0); err != nil {
		t.Fatal(err)
	}
	for _, kind := range []string{"archive", "tree"} {
		if _, err := os.Stat(s.path(kind, string(gone.Digest))); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%s of what nobody refers to: %v", kind, err)
		}
		if _, err := os.Stat(s.path(kind, string(kept.Digest))); err != nil {
			t.Error(err)
		}
	}
	if left := look(t, s.path("new", "")); left != "" {
		t.Errorf("left behind is %s", left)
	}
}

// An upload that comes while its like of long ago is collected stays.
func TestCollectKeepsWhatIsUploadedAgainMeanwhile(t *testing.T) {
	s := openStore(t)
	data := zipOf(t, file{"a", "x", 0})
	digest := add(t, s, file{"a", "x", 0}).Digest
	for range 500 {
		long := time.Now().Add(-2 * time.Hour)
		if err := os.Chtimes(s.path("archive", string(digest)), long, long); err != nil {
			t.Fatal(err)
		}
		var both sync.WaitGroup
		both.Go(func() {
			if _, err := s.Add(t.Context(), bytes.NewReader(data), MaxUpload); err != nil {
				t.Error(err)
			}
		})
		both.Go(func() {
			for range 20 { // one of them is while the upload takes its place
				if err := s.Collect(t.Context(), func(Digest) bool { return false }, time.Hour); err != nil {
					t.Error(err)
				}
			}
		})
		both.Wait()
		if file, err := s.Open(t.Context(), digest); err != nil {
			t.Fatalf("the upload is lost: %v", err)
		} else {
			file.Close()
		}
	}
}

func TestUnpackIsAbandonedByNobodysImpatience(t *testing.T) {
	s := openStore(t)
	a := add(t, s, file{"a", "x", 0})
	began, goOn := make(chan struct{}), make(chan struct{})
	go func() {
		_ = s.once(context.Background(), s.Tree(a.Digest), nil, func(into string) error {
			close(began)
			<-goOn
			return os.WriteFile(filepath.Join(into, "a"), []byte("x"), 0o644)
		})
	}()
	<-began
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := s.Unpack(ctx, a.Digest); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	close(goOn)
	if tree, err := s.Unpack(t.Context(), a.Digest); err != nil || look(t, tree) != "a=x 644" {
		t.Errorf("%v", err)
	}
}

func FuzzArchive(f *testing.F) {
	f.Add(zipOf(f, file{"a/b", "x", 0}, file{"l", "a/b", fs.ModeSymlink | 0o777}))
	f.Add(zipOf(f, file{"a/", "", fs.ModeDir | 0o777}, file{"up", "../../..", fs.ModeSymlink | 0o777}, file{"a/b", "x", 0}, file{"a/b", "y", 0}))
	f.Add([]byte("PK\x05\x06"))
	f.Fuzz(func(t *testing.T, b []byte) {
		outer := t.TempDir()
		into := filepath.Join(outer, "in", "to")
		if err := os.MkdirAll(into, 0o755); err != nil {
			t.Fatal(err)
		}
		if err := unpack(bytes.NewReader(b), int64(len(b)), into); err == nil {
			all, err := inspect(bytes.NewReader(b), int64(len(b)))
			if err != nil {
				t.Fatal(err)
			}
			for _, e := range all {
				if err := e.compare(filepath.Join(into, e.name), true); err != nil {
					t.Errorf("%q is not what was unpacked: %v", e.name, err)
				}
			}
		}
		entries, err := os.ReadDir(outer)
		if err != nil || len(entries) != 1 {
			t.Fatalf("something was written outside: %v %v", entries, err)
		}
	})
}

func TestLeftoversAreSweptWhenNobodyElseUsesTheStore(t *testing.T) {
	s := openStore(t)
	for _, name := range []string{"archive-1", "tree-2/index.js"} {
		path := s.path("new", name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte("half"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	open := func() {
		other, err := OpenStore(s.dir, zap.NewNop())
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { other.Close() })
		if err := other.Close(); err != nil {
			t.Fatal(err)
		}
	}
	open()
	if left := look(t, s.path("new", "")); left == "" {
		t.Error("what another process is writing was swept")
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	open()
	if left := look(t, s.path("new", "")); left != "" {
		t.Errorf("left behind is %s", left)
	}
}
