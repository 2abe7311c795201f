package caddymodule

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"os/user"
	"path/filepath"
	"reflect"
	"strconv"
	"sync"
	"syscall"
	"time"

	"github.com/caddyserver/caddy/v2"
	"golang.org/x/sys/unix"
)

func init() {
	// Without an option admin, the endpoint is a socket beside Hearth's data. No function sees it
	// there, and `caddy reload` and `caddy stop` look for it at the same default.
	if _, set := os.LookupEnv("CADDY_ADMIN"); set {
		return
	}
	if path := defaultAdminSocket(); len(path) <= longestSocket {
		caddy.DefaultAdminListen = "unix/" + path
	}
}

// longestSocket is the length of the longest path of a unix socket (unix(7)). A data directory
// with a longer path has the admin endpoint where Caddy itself would have it.
const longestSocket = 107

func defaultAdminSocket() string { return filepath.Join(caddy.AppDataDir(), "hearth", "admin.sock") }

// Provision checks that this server may take the admin endpoint. Caddy calls it before it
// listens there, and Caddy would take the socket of a server that runs. So the lock of the state
// comes first: a second server with the same data directory ends here, and the first one keeps
// its socket.
func (Admin) Provision(ctx caddy.Context) error {
	listen, err := adminListen(ctx)
	if err != nil {
		return err
	}
	if err := lockState(ctx); err != nil {
		return err
	}
	path := adminSocket(listen)
	if path == "" {
		return nil
	}
	return claimSocket(path)
}

// lockState opens the engine of the configuration, and retains it until the app does, or until the
// configuration ends without one. Context.OnCancel does not help: it adds to a copy of the context,
// which nobody reads.
func lockState(ctx caddy.Context) error {
	raw := rawApp(ctx, "hearth")
	if raw == nil {
		return nil
	}
	app := new(App)
	if json.Unmarshal(raw, app) != nil || app.replace(caddy.NewReplacer()) != nil {
		return nil // the provision of the app says what is wrong
	}
	app.ctx, app.log = ctx, caddy.Log().Named("hearth")
	opened, err := openEngine(app)
	if err != nil {
		return err
	}
	release := sync.OnceFunc(func() { _, _ = engines.Delete(app.engineKey()) })
	opened.lock(release)
	context.AfterFunc(ctx, release)
	return opened.InUse()
}

// rawApp is the configuration of an app, nil if there is none. See adminListen.
func rawApp(ctx caddy.Context, name string) json.RawMessage {
	config := reflect.ValueOf(ctx).FieldByName("cfg")
	if config.Kind() != reflect.Pointer || config.IsNil() {
		return nil
	}
	apps := config.Elem().FieldByName("AppsRaw")
	if apps.Kind() != reflect.Map {
		return nil
	}
	raw := apps.MapIndex(reflect.ValueOf(name))
	if !raw.IsValid() {
		return nil
	}
	return raw.Bytes()
}

// configures reports whether a site of the configuration has a handler.
func configures(ctx caddy.Context, handler string) bool {
	return bytes.Contains(rawApp(ctx, "http"), []byte(`"`+handler+`"`))
}

// socketAnswersWithin bounds the wait for an answer at a socket.
const socketAnswersWithin = 2 * time.Second

// claimSocket checks that this process can listen at a unix socket, and that no other process
// does.
func claimSocket(path string) error {
	dir := filepath.Dir(path)
	if path == defaultAdminSocket() {
		if err := os.MkdirAll(dir, 0o700); err != nil {
			return err
		}
	}
	info, err := os.Lstat(path)
	if errors.Is(err, fs.ErrNotExist) {
		if err := unix.Access(dir, unix.W_OK|unix.X_OK); err != nil {
			return fmt.Errorf("the admin socket %s cannot be made: %s: %w: name another path in the option admin, or leave the option out, and the socket is in the data directory", path, dir, err)
		}
		return nil
	}
	if err != nil {
		return err
	}
	process, err := listenerOf(path)
	switch {
	case err == nil && process == os.Getpid():
		return nil // a reload
	case err == nil:
		return fmt.Errorf("process %d answers at the admin socket %s: is this server running already? Stop it, or give this one another socket by the option admin", process, path)
	case errors.Is(err, unix.EACCES), !removable(dir, info):
		return fmt.Errorf("the admin socket %s belongs to the user %s: stop the server of that user, or remove what it left behind: sudo rm %s", path, ownerOf(info), path)
	}
	return nil // nobody listens, and Caddy removes the file
}

// listenerOf is the process that listens at a socket; 0 if it is in another PID namespace.
func listenerOf(path string) (int, error) {
	conn, err := net.DialTimeout("unix", path, socketAnswersWithin)
	if err != nil {
		return 0, err
	}
	defer conn.Close()
	raw, err := conn.(*net.UnixConn).SyscallConn()
	if err != nil {
		return 0, err
	}
	var peer *unix.Ucred
	var failed error
	if err := raw.Control(func(fd uintptr) {
		peer, failed = unix.GetsockoptUcred(int(fd), unix.SOL_SOCKET, unix.SO_PEERCRED)
	}); err != nil {
		return 0, err
	}
	if failed != nil {
		return 0, failed
	}
	return int(peer.Pid), nil
}

// removable reports whether this process may remove a file of a folder. In a sticky one, such as
// /tmp, only the owner of the file or of the folder may.
func removable(dir string, file fs.FileInfo) bool {
	if unix.Access(dir, unix.W_OK|unix.X_OK) != nil {
		return false
	}
	folder, err := os.Stat(dir)
	if err != nil || folder.Mode()&fs.ModeSticky == 0 || os.Geteuid() == 0 {
		return err == nil
	}
	return uidOf(file) == os.Geteuid() || uidOf(folder) == os.Geteuid()
}

func uidOf(info fs.FileInfo) int {
	if status, ok := info.Sys().(*syscall.Stat_t); ok {
		return int(status.Uid)
	}
	return -1
}

func ownerOf(info fs.FileInfo) string {
	id := strconv.Itoa(uidOf(info))
	if owner, err := user.LookupId(id); err == nil {
		return owner.Username
	}
	return id
}

var _ caddy.Provisioner = Admin{}
