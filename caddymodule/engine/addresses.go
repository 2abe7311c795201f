package engine

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// Files of the data directory that tell `caddy hearth` on this machine where the
// Lambda API and the admin endpoint are.
const (
	endpointFile = "endpoint"
	adminFile    = "admin"
)

// tell writes them.
func (e *Engine) tell(s *Setup) error {
	api := s.addresses.API
	if api != "" {
		api += "\n" + s.Account.Region // that requests have to be signed for
	}
	return errors.Join(e.tellOne(endpointFile, api), e.tellOne(adminFile, s.addresses.Admin))
}

// tellOne writes an address to the data directory; "" removes the one that is there.
func (e *Engine) tellOne(name, address string) error {
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
	if err := os.WriteFile(path, []byte(address+"\n"), 0o600); err != nil {
		return fmt.Errorf("tell where this server is: %w", err)
	}
	return nil
}
