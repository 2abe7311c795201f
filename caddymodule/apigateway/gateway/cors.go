package gateway

import (
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
)

// Cors says what browsers may do with an API from other origins.
// https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-cors.html
type Cors struct {
	// AllowOrigins are origins such as https://www.example.com, "*", "https://*" or "http://*".
	AllowOrigins  []string `json:"allowOrigins,omitempty"`
	AllowMethods  []string `json:"allowMethods,omitempty"`
	AllowHeaders  []string `json:"allowHeaders,omitempty"`
	ExposeHeaders []string `json:"exposeHeaders,omitempty"`
	// AllowCredentials lets browsers send cookies and the like. Not with an origin of "*".
	AllowCredentials bool `json:"allowCredentials,omitempty"`
	// MaxAge is how long a browser may keep the answer, in seconds. 0: it is not said.
	MaxAge int `json:"maxAge,omitempty"`
}

// maxAge is AWS's bound of Cors.MaxAge: one day.
const maxAge = 86400

// Check reports what is wrong.
func (c *Cors) Check() error {
	if c.AllowCredentials && slices.Contains(c.AllowOrigins, "*") {
		return fmt.Errorf("credentials are not for every origin: name the origins")
	}
	if c.MaxAge < 0 || c.MaxAge > maxAge {
		return fmt.Errorf("max_age %d: 0 to %d seconds are allowed", c.MaxAge, maxAge)
	}
	for _, origin := range c.AllowOrigins {
		scheme, host, found := strings.Cut(origin, "://")
		if origin != "*" && (!found || scheme == "" || host == "" || strings.ContainsAny(host, "/ ,") || strings.Contains(origin, "*") && origin != "https://*" && origin != "http://*") {
			return fmt.Errorf("origin %q: write https://www.example.com, https://* or *; no other star is supported", origin)
		}
	}
	return nil
}

// allows tells whether browsers at an origin may use the API.
func (c *Cors) allows(origin string) bool {
	for _, allowed := range c.AllowOrigins {
		if allowed == "*" || strings.EqualFold(allowed, origin) {
			return true
		}
		if scheme, found := strings.CutSuffix(allowed, "*"); found && strings.HasPrefix(origin, scheme) {
			return true
		}
	}
	return false
}

// anyOrigin tells whether all browsers get the same answer.
func (c *Cors) anyOrigin() bool { return len(c.AllowOrigins) == 1 && c.AllowOrigins[0] == "*" }

// IsPreflight tells whether a browser asks what it may send.
func IsPreflight(r *http.Request) bool {
	return r.Method == http.MethodOptions && len(r.Header["Access-Control-Request-Method"]) > 0 && len(r.Header["Origin"]) > 0
}

// Apply replaces in h, the header of an answer, what the integration says to browsers by
// what the API says. An answer to a preflight has more.
func (c *Cors) Apply(h http.Header, r *http.Request, preflight bool) {
	for name := range h {
		if strings.HasPrefix(name, "Access-Control-") {
			delete(h, name)
		}
	}
	if !c.anyOrigin() {
		h.Add("Vary", "Origin")
	}
	origin := r.Header.Get("Origin")
	if origin == "" || !c.allows(origin) {
		return
	}
	if c.anyOrigin() {
		origin = "*"
	}
	h.Set("Access-Control-Allow-Origin", origin)
	if c.AllowCredentials {
		h.Set("Access-Control-Allow-Credentials", "true")
	}
	set := func(name string, values []string) {
		if len(values) > 0 {
			h.Set(name, strings.Join(values, ","))
		}
	}
	if !preflight {
		set("Access-Control-Expose-Headers", c.ExposeHeaders)
		return
	}
	set("Access-Control-Allow-Methods", c.AllowMethods)
	set("Access-Control-Allow-Headers", c.AllowHeaders)
	if c.MaxAge > 0 {
		h.Set("Access-Control-Max-Age", strconv.Itoa(c.MaxAge))
	}
}
