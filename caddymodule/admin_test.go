package caddymodule

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/caddyserver/caddy/v2"
)

func TestAdminRefusesByNameWhatItDoesNotHave(t *testing.T) {
	for _, test := range []struct {
		method, path string
		status       int
		allow, want  string
	}{
		{"PUT", "/hearth/events", 405, "DELETE, GET, HEAD", "there is no PUT /hearth/events"},
		{"GET", "/hearth/events/replay?id=1", 405, "POST", "there is no GET /hearth/events/replay"},
		{"POST", "/hearth/nodes", 405, "GET, HEAD", "there is no POST /hearth/nodes"},
		{"GET", "/hearth/drain", 405, "DELETE, POST", "there is no GET /hearth/drain"},
		{"POST", "/hearth/schedules", 405, "GET, HEAD", "there is no POST /hearth/schedules"},
		{"DELETE", "/hearth/runtimes", 405, "GET, HEAD", "there is no DELETE /hearth/runtimes"},
		{"GET", "/hearth/nonsense", 404, "", "there is no GET /hearth/nonsense"},
		{"GET", "/hearth/events", 404, "", "no hearth app runs here"},
		{"GET", "/hearth/nodes", 404, "", "no hearth app runs here"},
	} {
		answer := httptest.NewRecorder()
		err := Admin{}.Routes()[0].Handler.ServeHTTP(answer, httptest.NewRequest(test.method, test.path, http.NoBody))
		var refused caddy.APIError
		if !errors.As(err, &refused) || refused.HTTPStatus != test.status || refused.Err.Error() != test.want {
			t.Errorf("%s %s: %d %v, want %d %s", test.method, test.path, refused.HTTPStatus, err, test.status, test.want)
		}
		if got := answer.Header().Get("Allow"); got != test.allow {
			t.Errorf("%s %s allows %q, want %q", test.method, test.path, got, test.allow)
		}
		if answer.Body.Len() != 0 {
			t.Errorf("%s %s has written %q, which Caddy does", test.method, test.path, answer.Body)
		}
	}
}
