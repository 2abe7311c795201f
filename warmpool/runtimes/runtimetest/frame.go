package runtimetest

import "github.com/hearthfn/hearth/warmpool/runtimes"

// InvokeFrame is a whole invoke frame for event.
func InvokeFrame(seq uint32, in *runtimes.Invoke, event []byte) ([]byte, error) {
	frame, err := runtimes.BeginInvoke(nil, in)
	if err != nil {
		return nil, err
	}
	frame = append(frame, event...)
	runtimes.FinishInvoke(frame, seq, in.DeadlineMillis)
	return frame, nil
}
