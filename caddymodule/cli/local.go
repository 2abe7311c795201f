package cli

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	smithyhttp "github.com/aws/smithy-go/transport/http"
)

// AdminAPI is the path of the admin endpoint under which it answers the Lambda API.
const AdminAPI = "/hearth/api"

// adminHost stands for the admin endpoint in addresses of requests.
const adminHost = "admin.hearth.internal"

// An adminTransport sends requests to the admin endpoint of this machine's server. The requests
// are signed already, so it changes where they go and not what they say.
type adminTransport struct{ *http.Transport }

// newAdminTransport reaches the endpoint at a Unix socket or at HOST:PORT.
func newAdminTransport(address string) adminTransport {
	network, at, _ := strings.Cut(address, "/")
	if !strings.HasPrefix(network, "unix") {
		network, at = "tcp", strings.TrimPrefix(address, "tcp/")
	} else {
		network = "unix"
		at, _, _ = strings.Cut(at, "|") // permissions
	}
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.DialContext = func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, network, at)
	}
	return adminTransport{transport}
}

// RoundTrip implements http.RoundTripper.
func (t adminTransport) RoundTrip(r *http.Request) (*http.Response, error) {
	moved := r.Clone(r.Context())
	moved.URL.Path = AdminAPI + moved.URL.Path
	if moved.URL.RawPath != "" {
		moved.URL.RawPath = AdminAPI + moved.URL.RawPath
	}
	return t.Transport.RoundTrip(moved)
}

// byAdmin makes the target the admin endpoint of the server with a data directory.
func (t *target) byAdmin(dir string) error {
	lines, err := readLines(filepath.Join(dir, "admin"))
	if err != nil {
		return fmt.Errorf("no server runs with the data directory %s (%w): start one, or name one by --endpoint or --data-dir", dir, err)
	}
	t.endpoint, t.client = "http://"+adminHost, &http.Client{Transport: newAdminTransport(lines[0])}
	if len(lines) > 1 {
		t.region = lines[1]
	}
	return nil
}

// isDown reports whether nobody listens at the address that a request was for.
func isDown(err error) bool {
	return errors.Is(err, syscall.ECONNREFUSED) || errors.Is(err, os.ErrNotExist) && errors.As(err, new(*net.OpError))
}

// explainDown says that no server answers; nil if one does, or if the request was for another, such
// as the registry of npm.
func explainDown(err error) error {
	var request *url.Error
	if !errors.As(err, new(*smithyhttp.RequestSendError)) || !errors.As(err, &request) || !isDown(err) {
		return nil
	}
	at := request.URL
	if u, err := url.Parse(request.URL); err == nil {
		at = u.Scheme + "://" + u.Host
		if u.Host == adminHost {
			at = "its admin socket"
		}
	}
	return fmt.Errorf("no server answers at %s: is it running?", at)
}
