package runtimes

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
)

// authorities is the file beside Lambda's Node.js that functions name in
// NODE_EXTRA_CA_CERTS. There, it holds the authorities of AWS's own services; here, those
// that this machine trusts.
// https://docs.aws.amazon.com/lambda/latest/dg/lambda-nodejs.html#nodejs-certs
const authorities = "ca-cert.pem"

// trusted are the files in which distributions keep the authorities of a machine: Debian
// and others, Fedora, openSUSE, Alpine.
var trusted = []string{
	"/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt", "/etc/ssl/ca-bundle.pem", "/etc/ssl/cert.pem",
}

// writeAuthorities copies the machine's authorities, in the state in which they are when
// the server starts, below dir. A machine may have none.
func writeAuthorities(dir string) error {
	for _, path := range trusted {
		data, err := os.ReadFile(path)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return err
		}
		return writeFile(filepath.Join(dir, authorities), data)
	}
	return nil
}
