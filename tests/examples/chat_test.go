package examples

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/hearthfn/hearth/tests/harness"
)

// chatClients are two people in the chat, by the client that most Node.js programs have.
const chatClients = `
import WebSocket from 'ws';
const [address] = process.argv.slice(2);
const next = (socket, kind) => new Promise((done, fail) => {
  socket.once(kind, (...args) => done(args));
  socket.once('error', fail);
});
const connect = async () => {
  const socket = new WebSocket(address);
  socket.lines = [];
  socket.on('message', (data, binary) => { socket.lines.push(binary ? 'binary' : JSON.parse(data)); socket.emit('line'); });
  await next(socket, 'open');
  return socket;
};
const line = async (socket, fits) => {
  for (;;) {
    const found = socket.lines.findIndex(fits);
    if (found >= 0) return socket.lines.splice(found, 1)[0];
    await next(socket, 'line');
  }
};
const ada = await connect(), bob = await connect();
bob.send(JSON.stringify({ action: 'who' }));
console.log('people', (await line(bob, (l) => l.people)).people);
ada.send(JSON.stringify({ action: 'say', text: 'hällo' }));
for (const socket of [ada, bob]) console.log('said', (await line(socket, (l) => l.text)).text);
bob.send('no JSON');
console.log('told', (await line(bob, (l) => l.message)).message);
bob.ping('are you there');
console.log('pong', String((await next(bob, 'pong'))[0]));
const closed = next(bob, 'close');
bob.send('x'.repeat(100_000)); // in one frame
console.log('closed', (await closed)[0]);
// The function has heard of it.
for (;;) {
  ada.send(JSON.stringify({ action: 'who' }));
  if ((await line(ada, (l) => l.people)).people === 1) break;
}
ada.close(1000);
console.log('closed', (await next(ada, 'close'))[0]);
`

// The example as a newcomer runs it, but for the port and the folder.
func TestExampleChatSendsWhatOneSaysToAll(t *testing.T) {
	harness.Slow(t, "npm installs")
	harness.Parallel(t)
	s := harness.NewServer(t, "", "")
	folder := filepath.Join(s.Dir, "chat")
	if err := os.CopyFS(folder, os.DirFS("../../examples/chat")); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(folder, "clients.mjs"), []byte(chatClients), 0o600); err != nil {
		t.Fatal(err)
	}
	run := func(args ...string) string {
		cmd := exec.CommandContext(t.Context(), args[0], args[1:]...)
		cmd.Dir = folder
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Fatalf("%q: %v\n%s\n%s", args, err, out, harness.Tail(s.Output(), 20))
		}
		return string(out)
	}
	run("npm", "install", "--no-audit", "--no-fund", "--loglevel=error", "--no-save", "ws")
	text, err := os.ReadFile("../../examples/chat/Caddyfile")
	if err != nil {
		t.Fatal(err)
	}
	config := strings.NewReplacer("8090", fmt.Sprint(s.Port), "examples/chat", folder, "timeout 10s", "timeout 60s", "http://localhost", "http://localhost:"+fmt.Sprint(s.Port)+", http://127.0.0.1",
		"{\n\thearth {", fmt.Sprintf("{\n\tadmin unix/%[1]s/admin.sock\n\tauto_https off\n\thearth {\n\t\tdata_dir %[1]s/data", s.Dir)).Replace(string(text))
	if err := os.WriteFile(s.Config, []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	s.Env = append(s.Env, "CHAT_SECRET=only-for-this-test-0")
	s.Start()
	s.Get("/").Want(t, 200, "<title>Chat</title>")
	const want = "people 2\nsaid hällo\nsaid hällo\ntold Forbidden\npong are you there\nclosed 1009\nclosed 1000\n"
	if got := run("node", "clients.mjs", fmt.Sprintf("ws://localhost:%d", s.Port)); got != want {
		t.Errorf("the clients saw\n%s\nwant\n%s\n%s", got, want, harness.Tail(s.Output(), 20))
	}
}
