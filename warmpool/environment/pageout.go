package environment

// PageOut moves the memory of an environment that is frozen to swap, where there is any, and
// stops when a call comes. It reads files and may wait for the disk.
func (e *Environment) PageOut() {
	if p, ok := e.proc.(interface{ PageOut() int64 }); ok {
		p.PageOut()
	}
}
