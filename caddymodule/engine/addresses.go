package engine

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/hearthfn/hearth/warmpool/disk"
)

// Files of the data directory from which `caddy hearth` on this machine learns where the
// Lambda API and the admin endpoint are.
const (
	endpointFile = "endpoint"
	adminFile    = "admin"
)

// writeAddresses writes these files.
func (e *Engine) writeAddresses(s *Setup) error {
	api := s.addresses.API
	if api != "" {
		api += "\n" + s.Account.Region // requests must be signed for it
	}
	admin := s.addresses.Admin
	if admin != "" {
		admin += "\n" + s.Account.Region
	}
	return errors.Join(e.writeAddress(endpointFile, api), e.writeAddress(adminFile, admin))
}

// writeAddress writes an address to a file of the data directory; "" removes the file.
func (e *Engine) writeAddress(name, address string) error {
	path := filepath.Join(e.Dir, name)
	if address == "" {
		if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		return nil
	}
	if before, err := os.ReadFile(path); err == nil && strings.TrimSpace(string(before)) == address {
		return nil
	}
	// Who looks for the file finds all of it, or none.
	if err := disk.Replace(path, []byte(address+"\n"), 0o600); err != nil {
		return fmt.Errorf("tell where this server is: %w", err)
	}
	return nil
}
