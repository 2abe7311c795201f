package cli

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
)

// quote makes a text one word of a shell.
func quote(s string) string { return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'" }

var envCommand = &Command{
	Use:   "env",
	Short: "Print the variables that point AWS's tools at this server",
	Long: `Prints what AWS's own tools need, for a shell to take over:

  eval "$(caddy hearth env)"
  aws lambda list-functions

It prints the secret access key. The aws command reads AWS_ENDPOINT_URL from version 2.13
and 1.29 on. An older one, such as Debian 12's, ignores it and goes to AWS: give it
--endpoint-url "$AWS_ENDPOINT_URL". "aws logs tail" needs version 2. If the server has
certificates of Caddy's own authority, AWS_CA_BUNDLE names a file with it and the system's
authorities. Variables of a session or profile are unset, because they would win.`,
	Run: printEnv,
}

// inTheWay are variables that AWS's tools would use instead of the key.
var inTheWay = []string{"AWS_SESSION_TOKEN", "AWS_SECURITY_TOKEN", "AWS_PROFILE", "AWS_DEFAULT_PROFILE"}

func printEnv(_ context.Context, c *Context) error {
	t, err := c.target()
	if err != nil {
		return err
	}
	if t.isAdmin() {
		return fmt.Errorf("AWS's tools need an address by HTTP or HTTPS, and no site of this server has lambda_api: add it to one")
	}
	names, values, err := c.variables(t)
	if err != nil {
		return err
	}
	return c.print(values, func(w io.Writer) {
		for _, name := range names {
			fmt.Fprintf(w, "export %s=%s\n", name, quote(values[name]))
		}
		fmt.Fprintf(w, "unset %s\n", strings.Join(inTheWay, " "))
	})
}

// variables are the names, in order, and the values of what points AWS's tools at a server.
func (c *Context) variables(t *target) ([]string, map[string]string, error) {
	// The aws command reads the last one and not the one before, SDKs the other way round.
	names := []string{"AWS_ENDPOINT_URL", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_REGION", "AWS_DEFAULT_REGION"}
	values := map[string]string{names[0]: t.endpoint, names[1]: t.keyID, names[2]: t.secret, names[3]: t.region, names[4]: t.region}
	if strings.HasPrefix(t.endpoint, "https://") {
		bundle, err := c.bundle()
		if err != nil {
			return nil, nil, err
		}
		if bundle != "" {
			names = append(names, "AWS_CA_BUNDLE")
			values["AWS_CA_BUNDLE"] = bundle
		}
	}
	return names, values, nil
}

// systemBundles are where systems have the certificates of all authorities.
var systemBundles = []string{"/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt", "/etc/ssl/cert.pem", "/etc/ssl/ca-bundle.pem"}

// bundle writes the certificates of the system's authorities and of Caddy's own to one file, and
// returns its path; "" if Caddy has none here.
func (c *Context) bundle() (string, error) {
	own, err := os.ReadFile(c.RootCA)
	if err != nil {
		return "", nil // the server's certificates are not of this authority
	}
	var all []byte
	for _, path := range systemBundles {
		if all, err = os.ReadFile(path); err == nil {
			break
		}
	}
	all = append(append(all, '\n'), own...)
	path := filepath.Join(cmp.Or(c.text("data-dir"), c.Getenv("HEARTH_DATA_DIR"), c.DataDir), "ca-bundle.pem")
	if before, err := os.ReadFile(path); err == nil && bytes.Equal(before, all) {
		return path, nil
	}
	if err := os.WriteFile(path, all, 0o644); err != nil {
		return c.RootCA, nil // without the others: enough for this server
	}
	return path, nil
}
