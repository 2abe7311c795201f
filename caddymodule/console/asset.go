package console

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"fmt"
	"io/fs"
	"maps"
	"net/http"
	"path"
	"slices"
	"strconv"
	"strings"
	"sync"
)

//go:embed page
var embedded embed.FS

// policy is that of the page. Nothing of the page is inline, and all comes from this console.
const policy = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data:; " +
	"base-uri 'none'; form-action 'self'; frame-ancestors 'none'"

// A page is the page and its files.
type page struct {
	html   file
	digest string // of all files
	files  map[string]file
}

// A file is as browsers get it, and packed for those that take it so: all that are known.
type file struct {
	plain, packed []byte
}

func newFile(data []byte) file {
	var packed bytes.Buffer
	w, err := gzip.NewWriterLevel(&packed, gzip.BestCompression)
	if err == nil {
		_, err = w.Write(data)
	}
	if err != nil || w.Close() != nil {
		panic("gzip fails in memory")
	}
	return file{data, packed.Bytes()}
}

var contentTypes = map[string]string{".css": "text/css; charset=utf-8", ".js": "text/javascript; charset=utf-8", ".svg": "image/svg+xml"}

// application is the module that all others are joined with.
const application = "app.js"

// thePage reads the embedded files, once.
var thePage = sync.OnceValue(func() *page {
	sources := make(map[string][]byte)
	err := fs.WalkDir(embedded, "page", func(name string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		sources[strings.TrimPrefix(name, "page/")], err = embedded.ReadFile(name)
		return err
	})
	p := &page{files: make(map[string]file)}
	var script []byte
	if err == nil {
		script, err = join(sources, application)
	}
	if err != nil {
		panic(err) // the files are in the program
	}
	sum := sha256.New()
	for name, data := range map[string][]byte{application: script, "style.css": sources["style.css"], "icon.svg": sources["icon.svg"]} {
		p.files[name] = newFile(data)
	}
	for _, name := range slices.Sorted(maps.Keys(p.files)) {
		fmt.Fprintf(sum, "%s %d\n", name, len(p.files[name].plain))
		sum.Write(p.files[name].plain)
	}
	p.digest = hex.EncodeToString(sum.Sum(nil))[:20]
	p.html = newFile(bytes.ReplaceAll(sources["index.html"], []byte("ASSETS/"), []byte(own+"assets/"+p.digest+"/")))
	return p
})

func servePage(w http.ResponseWriter, r *http.Request) {
	if !read(w, r) {
		return
	}
	w.Header().Set("Content-Security-Policy", policy)
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.Header().Set("Cache-Control", "no-cache")
	thePage().html.send(w, r)
}

// serveAsset answers with a file of the page, by the digest of all and its name.
func serveAsset(w http.ResponseWriter, r *http.Request, name string) {
	p := thePage()
	digest, name, _ := strings.Cut(name, "/")
	data, found := p.files[name]
	if !found || digest != p.digest {
		// Another version's: the page reloads, see app.js.
		w.Header().Set("Cache-Control", "no-store")
		refuse(w, http.StatusNotFound, "the console has no such file")
		return
	}
	if !read(w, r) {
		return
	}
	w.Header().Set("Content-Type", contentTypes[path.Ext(name)])
	w.Header().Set("Cache-Control", "public, max-age=31536000, immutable")
	data.send(w, r)
}

// send answers with a file.
func (f file) send(w http.ResponseWriter, r *http.Request) {
	data := f.plain
	w.Header().Set("Vary", "Accept-Encoding")
	if takesGzip(r.Header) {
		w.Header().Set("Content-Encoding", "gzip")
		data = f.packed
	}
	w.Header().Set("Content-Length", strconv.Itoa(len(data)))
	_, _ = w.Write(data) // the browser may be gone
}

// takesGzip reports whether a client says that it takes gzip, as all browsers do.
func takesGzip(header http.Header) bool {
	for coding := range strings.SplitSeq(strings.Join(header.Values("Accept-Encoding"), ","), ",") {
		name, quality, _ := strings.Cut(strings.TrimSpace(coding), ";")
		if !strings.EqualFold(strings.TrimSpace(name), "gzip") {
			continue
		}
		weight, given := strings.CutPrefix(strings.TrimSpace(quality), "q=")
		q, err := strconv.ParseFloat(weight, 64)
		return !given || err == nil && q > 0
	}
	return false
}

func read(w http.ResponseWriter, r *http.Request) bool {
	if r.Method == http.MethodGet || r.Method == http.MethodHead {
		return true
	}
	w.Header().Set("Allow", "GET, HEAD")
	refuse(w, http.StatusMethodNotAllowed, "the page is read by GET")
	return false
}
