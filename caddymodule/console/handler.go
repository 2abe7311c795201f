package console

import (
	"encoding/json"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/hearthfn/hearth/caddymodule/awsapi/sigv4"
)

// Config of a Handler. All fields are required.
type Config struct {
	Sessions *Sessions
	Keys     []sigv4.Key // that may sign in
	Account  string
	Region   string
	Version  string // of this server, for people
	// Call answers a call of AWS's APIs as if a client had sent it, and reports whether it is
	// one. Its context says whose it is: sigv4.Insider.
	Call func(w http.ResponseWriter, r *http.Request) bool
	// Own answers what the admin endpoint answers below /hearth/. The key is full, or the
	// method is GET.
	Own http.Handler
	// Samples are events as sources send them to functions, for tests.
	Samples func() any
}

// A Handler answers the requests of consoles.
type Handler struct {
	Config
	now func() time.Time
}

// New makes a handler.
func New(c Config) *Handler { return &Handler{c, time.Now} }

// A Visit is what the server knows of a request beside the request itself.
type Visit struct {
	Base   string // of the console, as the browser sees it: / or a path with a slash at both ends
	Path   string // of the request, below Base: it begins with no slash
	Secure bool   // the browser came by HTTPS
	Client string // the address that it came from
	Peer   string // the address and port that the connection came from; a proxy may be between
}

// own is the first part of all paths but the page's.
const own = "-/"

// The header that each request has but those for files. Pages of other sites cannot set it.
const header = "X-Hearth-Console"

// Serve answers a request for the console, and reports whether it is one.
func (h *Handler) Serve(w http.ResponseWriter, r *http.Request, v *Visit) bool {
	path, below := strings.CutPrefix(v.Path, own)
	if !below && v.Path != "" {
		return false
	}
	protect(w.Header())
	if !below {
		servePage(w, r)
		return true
	}
	if asset, is := strings.CutPrefix(path, "assets/"); is {
		serveAsset(w, r, asset)
		return true
	}
	w.Header().Set("Cache-Control", "no-store")
	if text := h.foreign(r); text != "" {
		refuse(w, http.StatusForbidden, text)
		return true
	}
	if path == "session" {
		h.serveSession(w, r, v)
		return true
	}
	key := h.key(r, v)
	if key == nil {
		refuse(w, http.StatusUnauthorized, "nobody is signed in: the session has ended, or the server has started again")
		return true
	}
	switch name, _, _ := strings.Cut(path, "/"); name {
	case "call":
		h.call(w, r, key)
	case "hearth":
		if key.ReadOnly && r.Method != http.MethodGet {
			refuse(w, http.StatusForbidden, "access key "+key.ID+" is read-only")
			break
		}
		h.Own.ServeHTTP(w, moved(r, "/"+path, ""))
	case "samples":
		answer(w, h.Samples())
	default:
		refuse(w, http.StatusNotFound, "the console has no such address")
	}
	return true
}

// protect has browsers treat all answers as what they are, and show none of them inside a page
// of somebody else.
func protect(header http.Header) {
	header.Set("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'; sandbox")
	header.Set("X-Content-Type-Options", "nosniff")
	header.Set("X-Frame-Options", "DENY")
	header.Set("Referrer-Policy", "no-referrer")
	header.Set("Cross-Origin-Resource-Policy", "same-origin")
	header.Set("Cross-Origin-Opener-Policy", "same-origin")
}

// foreign says why a request is not of the console's own page, "" if it may be.
func (h *Handler) foreign(r *http.Request) string {
	if r.Header.Get(header) != "1" {
		return "requests of the console have the header " + header + ": 1"
	}
	if site := r.Header.Get("Sec-Fetch-Site"); site != "" && site != "same-origin" {
		return "the request comes from another site"
	}
	if origin := r.Header.Get("Origin"); origin != "" {
		if from, err := url.Parse(origin); err != nil || !strings.EqualFold(from.Host, r.Host) {
			return "the request comes from another site"
		}
	}
	return ""
}

// cookieName is the name of the cookie. Browsers take one with the prefix by HTTPS only, and no
// page that came by HTTP can replace it.
func (v *Visit) cookieName() string {
	if v.Secure {
		return "__Secure-hearth-console"
	}
	return "hearth-console"
}

func (v *Visit) cookie(value string, age int) *http.Cookie {
	return &http.Cookie{Name: v.cookieName(), Value: value, Path: v.Base + own, MaxAge: age, Secure: v.Secure, HttpOnly: true, SameSite: http.SameSiteStrictMode}
}

// key is the access key of the session that a request belongs to; nil: it belongs to none.
func (h *Handler) key(r *http.Request, v *Visit) *sigv4.Key {
	cookie, err := r.Cookie(v.cookieName())
	if err != nil {
		return nil
	}
	return h.Sessions.key(h.Keys, cookie.Value, h.now())
}

// A sessionAnswer is what the page knows of its session.
type sessionAnswer struct {
	KeyID    string `json:"keyId"`
	ReadOnly bool   `json:"readOnly"`
	Account  string `json:"account"`
	Region   string `json:"region"`
	Version  string `json:"version"`
}

func (h *Handler) answerSession(w http.ResponseWriter, key *sigv4.Key) {
	answer(w, sessionAnswer{key.ID, key.ReadOnly, h.Account, h.Region, h.Version})
}

// maxSignIn bounds the body of a sign-in, in bytes.
const maxSignIn = 4 << 10

func (h *Handler) serveSession(w http.ResponseWriter, r *http.Request, v *Visit) {
	switch r.Method {
	case http.MethodGet:
		if key := h.key(r, v); key != nil {
			h.answerSession(w, key)
			return
		}
		refuse(w, http.StatusUnauthorized, "nobody is signed in")
	case http.MethodPost:
		h.signIn(w, r, v)
	case http.MethodDelete:
		if cookie, err := r.Cookie(v.cookieName()); err == nil {
			h.Sessions.end(cookie.Value)
		}
		http.SetCookie(w, v.cookie("", -1))
		w.WriteHeader(http.StatusNoContent)
	default:
		w.Header().Set("Allow", "GET, POST, DELETE")
		refuse(w, http.StatusMethodNotAllowed, "a session is begun by POST, read by GET and ended by DELETE")
	}
}

func (h *Handler) signIn(w http.ResponseWriter, r *http.Request, v *Visit) {
	if !v.Secure && !v.loopback(r) {
		refuse(w, http.StatusForbidden, "the console takes an access key by HTTPS only, or from this machine: others could read it on its way")
		return
	}
	now := h.now()
	if wait := h.Sessions.wait(v.Client, now); wait > 0 {
		w.Header().Set("Retry-After", strconv.Itoa(int(wait/time.Second)+1))
		refuse(w, http.StatusTooManyRequests, "too many wrong access keys came from your address: wait a minute")
		return
	}
	var given struct {
		KeyID  string `json:"keyId"`
		Secret string `json:"secret"`
	}
	if err := json.NewDecoder(http.MaxBytesReader(w, r.Body, maxSignIn)).Decode(&given); err != nil {
		refuse(w, http.StatusBadRequest, "a sign-in is JSON with keyId and secret")
		return
	}
	token, key, ok := h.Sessions.begin(h.Keys, given.KeyID, given.Secret, now)
	if !ok {
		h.Sessions.failed(v.Client, now)
		refuse(w, http.StatusForbidden, "this server has no such access key, or its secret is another")
		return
	}
	http.SetCookie(w, v.cookie(token, int(LongestTime/time.Second)))
	h.answerSession(w, key)
}

// loopback reports whether a request comes from this machine, by a name that only this machine
// has, and not by a proxy.
func (v *Visit) loopback(r *http.Request) bool {
	peer, err := netip.ParseAddrPort(v.Peer)
	if err != nil || !peer.Addr().IsLoopback() || r.Header.Get("X-Forwarded-For") != "" || r.Header.Get("Forwarded") != "" {
		return false
	}
	host := r.Host
	if name, _, err := net.SplitHostPort(host); err == nil {
		host = name
	}
	host = strings.ToLower(strings.Trim(host, "[]"))
	address, err := netip.ParseAddr(host)
	return host == "localhost" || strings.HasSuffix(host, ".localhost") || err == nil && address.IsLoopback()
}

func answer(w http.ResponseWriter, value any) {
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(value) // the browser may be gone
}

func refuse(w http.ResponseWriter, status int, text string) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(map[string]string{"error": text})
}
