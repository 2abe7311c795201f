package runtimes

import (
	"context"
	"os/exec"
	"strings"
	"time"
)

// The locale that functions have on Lambda, and the one that every C library has,
// or every distribution: with both, text is UTF-8.
const (
	lambdaLanguage = "en_US.UTF-8"
	plainLanguage  = "C.UTF-8"
)

// languageTimeout is generous: locale(1) takes a millisecond.
const languageTimeout = 5 * time.Second

// Language is the LANG for functions: Lambda's, where this machine has that locale. A
// minimal Debian has not; the C library then falls back to ASCII, in which Java 11 and
// 17 read and write text, and all of them name files and arguments.
func Language(ctx context.Context) string {
	ctx, cancel := context.WithTimeout(ctx, languageTimeout)
	defer cancel()
	// Asked as a function would be served: it says what encoding the locale has once
	// it is loaded.
	cmd := exec.CommandContext(ctx, "locale", "charmap")
	cmd.Env = []string{"PATH=/usr/bin:/bin", "LC_ALL=" + lambdaLanguage}
	cmd.WaitDelay = time.Second
	out, err := cmd.Output()
	if err == nil && strings.TrimSpace(string(out)) != "UTF-8" {
		return plainLanguage
	}
	return lambdaLanguage // also without the program: musl's only encoding is UTF-8
}

// country is the JVM's option when the function's LANG is C.UTF-8, so that its default
// locale is Lambda's.
func country(variables map[string]string) []string {
	if variables["LANG"] != plainLanguage {
		return nil
	}
	return []string{"-Duser.language=en", "-Duser.country=US"}
}
