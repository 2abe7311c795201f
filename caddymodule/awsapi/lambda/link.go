package lambda

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/hearthfn/hearth/warmpool/code"
	"github.com/hearthfn/hearth/warmpool/function/registry"
)

// linkPath begins the addresses that code is downloaded from, which need no other
// signature than their own.
const linkPath = "/.hearth/code/"

// linkLife is how long such an address is good for, as at AWS.
// https://docs.aws.amazon.com/lambda/latest/api/API_GetFunction.html
const linkLife = 10 * time.Minute

// link is the address that an archive can be downloaded from for a while.
func (a *API) link(r *http.Request, c registry.Code) (string, error) {
	digest, err := code.DigestOf(c.SHA256)
	if err != nil {
		return "", err
	}
	scheme := "http"
	if r.TLS != nil {
		scheme = "https"
	}
	expires := strconv.FormatInt(time.Now().Add(linkLife).Unix(), 10)
	return scheme + "://" + r.Host + linkPath + string(digest) + ".zip?expires=" + expires + "&signature=" + a.linkSignature(string(digest), expires), nil
}

func (a *API) linkSignature(digest, expires string) string {
	h := hmac.New(sha256.New, a.LinkKey)
	fmt.Fprintf(h, "code/%s/%s", digest, expires)
	return hex.EncodeToString(h.Sum(nil))
}

var errLink = exception("AccessDeniedException", "The address of the code is not valid, or not any more. Call GetFunction for another.")

// serveLink answers with an archive.
func (a *API) serveLink(w http.ResponseWriter, r *http.Request) error {
	digest, isZip := strings.CutSuffix(strings.TrimPrefix(r.URL.Path, linkPath), ".zip")
	query := r.URL.Query()
	expires, err := strconv.ParseInt(query.Get("expires"), 10, 64)
	if err != nil || !isZip || time.Now().Unix() > expires ||
		!hmac.Equal([]byte(query.Get("signature")), []byte(a.linkSignature(digest, query.Get("expires")))) {
		return errLink
	}
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		return errLink
	}
	file, err := a.Code.Open(r.Context(), code.Digest(digest))
	if errors.Is(err, fs.ErrNotExist) {
		return exception("ResourceNotFoundException", "The code is not there any more.")
	}
	if err != nil {
		return err
	}
	defer file.Close() // it was only read
	w.Header().Set("Content-Type", "application/zip")
	http.ServeContent(w, r, "", time.Time{}, file)
	return nil
}
