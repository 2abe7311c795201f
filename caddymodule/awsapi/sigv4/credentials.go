package sigv4

import (
	"bufio"
	"bytes"
	"crypto/rand"
	"encoding/base32"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/hearthfn/hearth/warmpool/disk"
)

// ReadCredentials reads the access keys in the file at path, which has the format of
// AWS's shared credentials. The error is fs.ErrNotExist if there is none.
//
//	[default]
//	aws_access_key_id = AKIA...
//	aws_secret_access_key = ...
//
//	[dashboard]
//	aws_access_key_id = AKIA...
//	aws_secret_access_key = ...
//	hearth_access = read-only
//
// https://docs.aws.amazon.com/sdkref/latest/guide/file-format.html
func ReadCredentials(path string) ([]Key, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("read credentials: %w", err)
	}
	defer file.Close() // it was only read
	info, err := file.Stat()
	if err != nil {
		return nil, fmt.Errorf("read credentials: %w", err)
	}
	if mode := info.Mode().Perm(); mode&0o077 != 0 {
		return nil, fmt.Errorf("credentials %s can be read by others (mode %04o): chmod 600 it", path, mode)
	}
	const most = 1 << 20
	data, err := io.ReadAll(io.LimitReader(file, most))
	if err != nil {
		return nil, fmt.Errorf("read credentials: %w", err)
	}
	keys, err := ParseCredentials(data)
	if err != nil {
		return nil, fmt.Errorf("credentials %s: %w", path, err)
	}
	return keys, nil
}

// ParseCredentials reads the access keys of a file with AWS's shared credentials.
// Errors name the line.
func ParseCredentials(data []byte) ([]Key, error) {
	var keys []Key
	var current *Key
	lines := bufio.NewScanner(bytes.NewReader(data))
	for number := 1; lines.Scan(); number++ {
		line := strings.TrimSpace(lines.Text())
		if line == "" || line[0] == '#' || line[0] == ';' {
			continue
		}
		if line[0] == '[' {
			if !strings.HasSuffix(line, "]") {
				return nil, fmt.Errorf("line %d: a profile is written [NAME]", number)
			}
			keys = append(keys, Key{})
			current = &keys[len(keys)-1]
			continue
		}
		name, value, found := strings.Cut(line, "=")
		if !found || current == nil {
			return nil, fmt.Errorf("line %d: NAME = VALUE below a [PROFILE] is expected", number)
		}
		if err := current.set(strings.ToLower(strings.TrimSpace(name)), strings.TrimSpace(value)); err != nil {
			return nil, fmt.Errorf("line %d: %w", number, err)
		}
	}
	if err := lines.Err(); err != nil {
		return nil, err
	}
	for _, key := range keys {
		if err := key.check(); err != nil {
			return nil, err
		}
	}
	if len(keys) == 0 {
		return nil, errors.New("no access keys: remove the file to have one made")
	}
	return keys, nil
}

func (k *Key) set(name, value string) error {
	switch name {
	case "aws_access_key_id":
		k.ID = value
	case "aws_secret_access_key":
		k.Secret = value
	case "hearth_access":
		if value != "read-only" && value != "full" {
			return fmt.Errorf("hearth_access %q: full and read-only are allowed", value)
		}
		k.ReadOnly = value == "read-only"
	default:
		return fmt.Errorf("%q is not supported: aws_access_key_id, aws_secret_access_key and hearth_access are", name)
	}
	return nil
}

// NewKey makes an access key.
func NewKey() Key {
	id := make([]byte, 10)
	secret := make([]byte, 30)
	rand.Read(id) // these never fail
	rand.Read(secret)
	return Key{ID: "AKIA" + base32.StdEncoding.EncodeToString(id), Secret: base64.StdEncoding.EncodeToString(secret)}
}

// Profile is the text of a file of credentials with the key under [default].
func (k *Key) Profile() string {
	return "[default]\naws_access_key_id = " + k.ID + "\naws_secret_access_key = " + k.Secret + "\n"
}

// CreateCredentials writes a file with one key under [default], readable by its owner
// alone. The file appears complete. It never replaces an existing file: then created is false.
func CreateCredentials(path string, key Key) (created bool, err error) {
	text := key.Profile()
	file, err := os.CreateTemp(filepath.Dir(path), ".credentials-*") // mode 0600
	if err != nil {
		return false, err
	}
	defer os.Remove(file.Name()) // the link stays
	if _, err = file.WriteString(text); err == nil {
		err = file.Sync()
	}
	if closeErr := file.Close(); err == nil {
		err = closeErr
	}
	if err != nil {
		return false, err
	}
	err = os.Link(file.Name(), path)
	if errors.Is(err, fs.ErrExist) {
		return false, nil
	}
	if err == nil {
		err = disk.SyncDir(filepath.Dir(path))
	}
	return err == nil, err
}
