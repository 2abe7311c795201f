package install

import (
	"cmp"
	"context"
	"crypto/sha512"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
)

// fetch brings the newest version of a package that is of a major version, 0 for any,
// into folder, packed, and returns its path.
func (i *Installer) fetch(ctx context.Context, name string, major int, folder string) (string, error) {
	if npm, err := exec.LookPath("npm"); err == nil {
		return i.pack(ctx, npm, name, major, folder)
	}
	return i.download(ctx, name, major, folder)
}

// pack has npm fetch a package, which checks it.
func (i *Installer) pack(ctx context.Context, npm, name string, major int, folder string) (string, error) {
	if major > 0 {
		name += "@" + strconv.Itoa(major)
	}
	out, err := i.run(ctx, folder, npm, "pack", name, "--json", "--loglevel=error", "--ignore-scripts", "--pack-destination", folder)
	if err != nil {
		return "", fmt.Errorf("fetch %s by npm: %w", name, err)
	}
	var packed []struct {
		Filename string `json:"filename"`
	}
	if err := json.Unmarshal(out, &packed); err != nil || len(packed) != 1 || !filepath.IsLocal(packed[0].Filename) {
		return "", fmt.Errorf("fetch %s by npm: it does not say what it has fetched: %.200s", name, out)
	}
	return filepath.Join(folder, packed[0].Filename), nil
}

// A packument is what a registry knows of a package, in short.
type packument struct {
	Tags     map[string]string `json:"dist-tags"`
	Versions map[string]struct {
		Deprecated any `json:"deprecated"`
		Dist       struct {
			Tarball   string `json:"tarball"`
			Integrity string `json:"integrity"`
		} `json:"dist"`
	} `json:"versions"`
}

// maxPackument limits a registry's description of a package, in bytes.
const maxPackument = 64 << 20

// download fetches a package without npm, and checks it by its sha512.
func (i *Installer) download(ctx context.Context, name string, major int, folder string) (string, error) {
	address := cmp.Or(os.Getenv("NPM_CONFIG_REGISTRY"), os.Getenv("npm_config_registry"))
	if address == "" {
		return "", fmt.Errorf("fetch %s: there is no npm on this machine: install npm, which knows its registry, or name one by NPM_CONFIG_REGISTRY", name)
	}
	registry, err := url.Parse(strings.TrimSuffix(address, "/") + "/")
	if err != nil {
		return "", fmt.Errorf("NPM_CONFIG_REGISTRY: %w", err)
	}
	var known packument
	err = i.get(ctx, registry.String()+strings.ReplaceAll(name, "/", "%2f"), "application/vnd.npm.install-v1+json", func(body io.Reader) error {
		return json.NewDecoder(io.LimitReader(body, maxPackument)).Decode(&known)
	})
	if err != nil {
		return "", fmt.Errorf("look up %s: %w", name, err)
	}
	version := known.newest(major)
	dist := known.Versions[version].Dist
	sum, ok := strings.CutPrefix(dist.Integrity, "sha512-")
	switch {
	case version == "":
		return "", fmt.Errorf("%s: the registry has no version %d", name, major)
	case !ok:
		return "", fmt.Errorf("%s %s: the registry has no sha512 of it", name, version)
	}
	tarball, err := registry.Parse(dist.Tarball)
	if err != nil {
		return "", fmt.Errorf("%s %s: %w", name, version, err)
	}
	path := filepath.Join(folder, "package.tgz")
	err = i.get(ctx, tarball.String(), "*/*", func(body io.Reader) error { return save(path, body, sum) })
	if err != nil {
		return "", fmt.Errorf("fetch %s %s: %w", name, version, err)
	}
	return path, nil
}

// newest is the newest version of a major, without those in preparation.
func (p *packument) newest(major int) (newest string) {
	if major == 0 {
		return p.Tags["latest"]
	}
	var best [3]int
	for version := range p.Versions {
		n, ok := numbers(version)
		if ok && n[0] == major && (newest == "" || less(best, n)) {
			newest, best = version, n
		}
	}
	return newest
}

func numbers(version string) (n [3]int, ok bool) {
	parts := strings.Split(version, ".")
	if len(parts) != 3 {
		return n, false
	}
	for i, part := range parts {
		var err error
		if n[i], err = strconv.Atoi(part); err != nil {
			return n, false
		}
	}
	return n, true
}

func less(a, b [3]int) bool {
	for i := range a {
		if a[i] != b[i] {
			return a[i] < b[i]
		}
	}
	return false
}

// save writes what is read to a file, and fails when it is not what sum says.
func save(path string, from io.Reader, sum string) error {
	file, err := os.Create(path)
	if err != nil {
		return err
	}
	hash := sha512.New()
	n, err := io.Copy(io.MultiWriter(file, hash), io.LimitReader(from, maxPacked+1))
	err = errors.Join(err, file.Close())
	switch {
	case err != nil:
		return err
	case n > maxPacked:
		return fmt.Errorf("it is larger than %d MB", maxPacked>>20)
	case base64.StdEncoding.EncodeToString(hash.Sum(nil)) != sum:
		return errors.New("its sha512 is not the one that the registry tells")
	}
	return nil
}

func (i *Installer) get(ctx context.Context, address, accept string, read func(io.Reader) error) error {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return err
	}
	r.Header.Set("Accept", accept)
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		return fmt.Errorf("%w (is this machine offline? NPM_CONFIG_REGISTRY names another registry)", err)
	}
	defer answer.Body.Close()
	if answer.StatusCode != http.StatusOK {
		return fmt.Errorf("the registry answered %s", answer.Status)
	}
	return read(answer.Body)
}
