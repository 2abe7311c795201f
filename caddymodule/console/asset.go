package console

import (
	"bytes"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"io/fs"
	"net/http"
	"path"
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
	html   []byte
	digest string // of all files
	files  map[string][]byte
}

var contentTypes = map[string]string{
	".css": "text/css; charset=utf-8", ".js": "text/javascript; charset=utf-8", ".mjs": "text/javascript; charset=utf-8", ".svg": "image/svg+xml",
}

// thePage reads the embedded files, once.
var thePage = sync.OnceValue(func() *page {
	p := &page{files: make(map[string][]byte)}
	sum := sha256.New()
	var preload bytes.Buffer
	err := fs.WalkDir(embedded, "page", func(name string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		data, err := embedded.ReadFile(name)
		name = strings.TrimPrefix(name, "page/")
		if name == "index.html" {
			p.html = data
		} else if contentTypes[path.Ext(name)] != "" {
			p.files[name] = resolved(name, data)
			sum.Write([]byte(name))
			sum.Write(p.files[name])
			if path.Ext(name) != ".css" && path.Ext(name) != ".svg" {
				preload.WriteString(`<link rel="modulepreload" href="ASSETS/` + name + "\">\n")
			}
		}
		return err
	})
	if err != nil {
		panic(err) // the files are in the program
	}
	p.digest = hex.EncodeToString(sum.Sum(nil))[:20]
	p.html = bytes.ReplaceAll(p.html, []byte("<!-- modules -->\n"), preload.Bytes())
	p.html = bytes.ReplaceAll(p.html, []byte("ASSETS/"), []byte(own+"assets/"+p.digest+"/"))
	return p
})

// resolved is a file as browsers get it. What hooks.mjs imports by a package's name is beside it.
func resolved(name string, data []byte) []byte {
	if name == "vendor/hooks.mjs" {
		data = bytes.Replace(data, []byte(`from"preact"`), []byte(`from"./preact.mjs"`), 1)
	}
	if at := bytes.LastIndex(data, []byte("\n//# sourceMappingURL=")); at >= 0 {
		data = data[:at+1] // there are no maps to ask for
	}
	return data
}

func servePage(w http.ResponseWriter, r *http.Request) {
	if !read(w, r) {
		return
	}
	w.Header().Set("Content-Security-Policy", policy)
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.Header().Set("Cache-Control", "no-cache")
	_, _ = w.Write(thePage().html) // the browser may be gone
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
	_, _ = w.Write(data)
}

func read(w http.ResponseWriter, r *http.Request) bool {
	if r.Method == http.MethodGet || r.Method == http.MethodHead {
		return true
	}
	w.Header().Set("Allow", "GET, HEAD")
	refuse(w, http.StatusMethodNotAllowed, "the page is read by GET")
	return false
}
