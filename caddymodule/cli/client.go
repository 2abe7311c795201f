package cli

import (
	"cmp"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/sts"

	"github.com/hearthfn/hearth/caddymodule/awsapi/sigv4"
)

// A target is a server's API and the caller's key.
type target struct {
	endpoint, region, keyID, secret string
	client                          *http.Client
	here                            bool // it is the server with the data directory
}

// target finds the server: by flag, by the variables that AWS's tools read, or by
// what the server on this machine has written to its data directory.
func (c *Context) target() (*target, error) {
	dir := cmp.Or(c.text("data-dir"), c.Getenv("HEARTH_DATA_DIR"), c.DataDir)
	t := &target{
		endpoint: cmp.Or(c.text("endpoint"), c.Getenv("AWS_ENDPOINT_URL_LAMBDA"), c.Getenv("AWS_ENDPOINT_URL")),
		region:   cmp.Or(c.Getenv("AWS_REGION"), c.Getenv("AWS_DEFAULT_REGION"), "us-east-1"),
		keyID:    c.Getenv("AWS_ACCESS_KEY_ID"), secret: c.Getenv("AWS_SECRET_ACCESS_KEY"),
		client: http.DefaultClient,
	}
	if t.endpoint == "" {
		// The server's own key is meant: variables may have a key of somebody else's.
		t.keyID, t.secret, t.here = "", "", true
		if lines, err := readLines(filepath.Join(dir, "endpoint")); err == nil {
			t.endpoint = lines[0]
			if len(lines) > 1 {
				t.region = lines[1] // the server takes no other
			}
		} else if err := t.byAdmin(dir); err != nil {
			return nil, err
		}
	}
	if t.keyID == "" || t.secret == "" {
		if err := t.readCredentials(filepath.Join(dir, "credentials")); err != nil {
			return nil, err
		}
	}
	if t.isAdmin() {
		return t, nil
	}
	return t, t.trust(c)
}

// isAdmin reports whether the target is the admin endpoint of this machine's server.
func (t *target) isAdmin() bool { return t.endpoint == "http://"+adminHost }

// trust has the client take certificates of Caddy's own authority on this machine,
// or any if that was asked for.
func (t *target) trust(c *Context) error {
	settings := &tls.Config{InsecureSkipVerify: c.is("insecure")}
	if root, err := os.ReadFile(c.RootCA); err == nil && !settings.InsecureSkipVerify {
		if settings.RootCAs, err = x509.SystemCertPool(); err != nil {
			return err
		}
		settings.RootCAs.AppendCertsFromPEM(root)
	} else if !settings.InsecureSkipVerify {
		return nil // the system's certificates are all there are
	}
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.TLSClientConfig = settings
	t.client = &http.Client{Transport: transport}
	return nil
}

func (t *target) readCredentials(path string) error {
	data, err := os.ReadFile(path)
	if err != nil {
		return fmt.Errorf("no access key: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or let this user read the server's credentials: %w", err)
	}
	keys, err := sigv4.ParseCredentials(data)
	if err != nil {
		return fmt.Errorf("credentials %s: %w", path, err)
	}
	for _, key := range keys {
		if t.secret == "" || !key.ReadOnly {
			t.keyID, t.secret = key.ID, key.Secret
			if !key.ReadOnly {
				return nil
			}
		}
	}
	if t.secret == "" {
		return fmt.Errorf("credentials %s has no access key", path)
	}
	return nil
}

// readLines are the lines of a small file, one at least.
func readLines(path string) ([]string, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		if errors.Is(err, fs.ErrNotExist) || errors.Is(err, fs.ErrPermission) {
			err = err.(*fs.PathError).Err
		}
		return nil, err
	}
	lines := strings.Split(strings.TrimSpace(string(text)), "\n")
	if lines[0] == "" {
		return nil, errors.New("is empty")
	}
	return lines, nil
}

func (t *target) credentials(context.Context) (aws.Credentials, error) {
	return aws.Credentials{AccessKeyID: t.keyID, SecretAccessKey: t.secret}, nil
}

func (t *target) lambda() *lambda.Client {
	return lambda.New(lambda.Options{Region: t.region, BaseEndpoint: &t.endpoint, HTTPClient: t.client, Credentials: aws.CredentialsProviderFunc(t.credentials)})
}

func (t *target) logs() *cloudwatchlogs.Client {
	return cloudwatchlogs.New(cloudwatchlogs.Options{Region: t.region, BaseEndpoint: &t.endpoint, HTTPClient: t.client, Credentials: aws.CredentialsProviderFunc(t.credentials)})
}

func (t *target) stacks() *cloudformation.Client {
	return cloudformation.New(cloudformation.Options{Region: t.region, BaseEndpoint: &t.endpoint, HTTPClient: t.client, Credentials: aws.CredentialsProviderFunc(t.credentials)})
}

// s3 has the bucket in the path: a server's name need not have names below it.
func (t *target) s3() *s3.Client {
	return s3.New(s3.Options{Region: t.region, BaseEndpoint: &t.endpoint, HTTPClient: t.client, Credentials: aws.CredentialsProviderFunc(t.credentials), UsePathStyle: true})
}

func (t *target) account(ctx context.Context) (string, error) {
	api := sts.New(sts.Options{Region: t.region, BaseEndpoint: &t.endpoint, HTTPClient: t.client, Credentials: aws.CredentialsProviderFunc(t.credentials)})
	out, err := api.GetCallerIdentity(ctx, &sts.GetCallerIdentityInput{})
	if err != nil {
		return "", err
	}
	return aws.ToString(out.Account), nil
}

// api is the client of most commands.
func (c *Context) api() (*lambda.Client, error) {
	t, err := c.target()
	if err != nil {
		return nil, err
	}
	return t.lambda(), nil
}
