package caddymodule

import (
	"fmt"
	"os"

	"go.uber.org/zap"
	"golang.org/x/term"

	"github.com/hearthfn/hearth/caddymodule/lambdaapi/sigv4"
)

// AccessKey is a key that signs requests to the Lambda API, beside the one that
// Hearth makes.
type AccessKey struct {
	// The access key ID, 3 to 128 letters, digits and underscores.
	ID string `json:"id,omitempty"`

	// The secret access key, at least 16 bytes. Placeholders such as {env.SECRET} or
	// {file./run/secrets/key} keep it out of the configuration.
	Secret string `json:"secret,omitempty"`

	// Only Get and List operations are allowed: nothing is changed, nothing invoked.
	ReadOnly bool `json:"read_only,omitempty"`
}

// show prints an access key, but only to a terminal. A service manager, a container or a
// pipe stores its output and others read it, as a log. There show names the key's file.
func (a *App) show(key *sigv4.Key) {
	if !term.IsTerminal(int(os.Stderr.Fd())) {
		a.log.Info("the access key for the Lambda API is in a file that only this user reads", zap.String("path", a.setup.CredentialsFile()))
		return
	}
	fmt.Fprintf(os.Stderr, "\nThis is the access key for the Lambda API. It is kept in %s and not shown again.\n\n"+
		"  export AWS_ACCESS_KEY_ID=%s\n  export AWS_SECRET_ACCESS_KEY=%s\n  export AWS_DEFAULT_REGION=%s\n\n", a.setup.CredentialsFile(), key.ID, key.Secret, a.Region)
}
