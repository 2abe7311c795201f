package custom

// Freeze stops the environment until Thaw, and reports whether it did. As on Lambda it
// waits until the runtime and all extensions have asked for what is next, so what they do
// after an answer goes on. It also waits until telemetry is handed over, which comes after
// the answer.
func (b *Bridge) Freeze() bool {
	b.mu.Lock()
	rests := b.isReady() && !b.down
	b.mu.Unlock()
	if !rests || !b.telemetry.pause() {
		return false
	}
	frozen := b.process.Freeze()
	b.mu.Lock()
	down := b.down
	b.mu.Unlock()
	if !frozen || down {
		_ = b.Thaw() // what stands still is killed
		return false
	}
	return true
}

// Thaw has the environment go on, if it is frozen.
func (b *Bridge) Thaw() error {
	err := b.process.Thaw()
	b.telemetry.resume()
	return err
}
