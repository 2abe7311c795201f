package logs

import (
	"strconv"
	"time"
)

// A Report is the data of the REPORT line of an invocation.
// https://docs.aws.amazon.com/lambda/latest/dg/monitoring-cloudwatchlogs-view.html
type Report struct {
	Duration        time.Duration
	InitDuration    time.Duration // of the cold start that this invocation waited for; 0 when warm
	MemoryMB        int
	MaxMemoryUsedMB int
	Status          string // "" for success, "timeout", "error"
	ErrorType       string // with Status "error" and where known, e.g. "Runtime.ExitError"
}

// An InitReport is the data of the INIT_REPORT line of a failed init phase.
type InitReport struct {
	Duration  time.Duration
	Phase     string // "init", or "invoke" when it was done again for an invocation
	Status    string // "timeout", "error"
	ErrorType string // as in Report
}

func appendStart(dst []byte, requestID, version string) []byte {
	dst = append(dst, "START "+named...)
	dst = append(dst, requestID...)
	dst = append(dst, " Version: "...)
	return append(dst, version...)
}

func appendEnd(dst []byte, requestID string) []byte {
	dst = append(dst, "END "+named...)
	return append(dst, requestID...)
}

func appendReport(dst []byte, requestID string, r *Report) []byte {
	dst = append(dst, "REPORT "+named...)
	dst = append(dst, requestID...)
	dst = append(dst, "\tDuration: "...)
	dst = appendHundredths(dst, r.Duration)
	dst = append(dst, " ms\tBilled Duration: "...)
	dst = strconv.AppendInt(dst, billedMillis(r.Duration+r.InitDuration), 10)
	dst = append(dst, " ms\tMemory Size: "...)
	dst = strconv.AppendInt(dst, int64(r.MemoryMB), 10)
	dst = append(dst, " MB\tMax Memory Used: "...)
	dst = strconv.AppendInt(dst, int64(r.MaxMemoryUsedMB), 10)
	dst = append(dst, " MB\t"...)
	if r.InitDuration > 0 {
		dst = append(dst, "Init Duration: "...)
		dst = appendHundredths(dst, r.InitDuration)
		dst = append(dst, " ms\t"...)
	}
	return appendStatus(dst, r.Status, r.ErrorType)
}

func appendInitReport(dst []byte, r *InitReport) []byte {
	dst = append(dst, "INIT_REPORT Init Duration: "...)
	dst = appendHundredths(dst, r.Duration)
	dst = append(dst, " ms\tPhase: "...)
	dst = append(dst, r.Phase...)
	dst = append(dst, '\t')
	return appendStatus(dst, r.Status, r.ErrorType)
}

func appendStatus(dst []byte, status, errorType string) []byte {
	if status != "" {
		dst = append(dst, "Status: "...)
		dst = append(dst, status...)
	}
	if errorType != "" {
		dst = append(dst, "\tError Type: "...)
		dst = append(dst, errorType...)
	}
	return dst
}

// appendTimeout has an empty line at its end, as Lambda's has.
func appendTimeout(dst []byte, t time.Time, requestID string, timeout time.Duration) []byte {
	dst = t.UTC().AppendFormat(dst, timeLayout)
	dst = append(dst, ' ')
	dst = append(dst, requestID...)
	dst = append(dst, " Task timed out after "...)
	dst = strconv.AppendFloat(dst, timeout.Seconds(), 'f', 2, 64)
	return append(dst, " seconds\n"...)
}

// billedMillis is d rounded up, as Lambda bills it. Since August 2025 the init
// phase of every function is billed:
// https://aws.amazon.com/blogs/compute/aws-lambda-standardizes-billing-for-init-phase/
func billedMillis(d time.Duration) int64 {
	return int64((d + time.Millisecond - 1) / time.Millisecond)
}

// appendHundredths appends d in milliseconds with two decimals.
func appendHundredths(dst []byte, d time.Duration) []byte {
	const unit = time.Millisecond / 100
	n := int64((max(0, d) + unit/2) / unit)
	dst = strconv.AppendInt(dst, n/100, 10)
	return append(dst, '.', byte('0'+n/10%10), byte('0'+n%10))
}
