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

// Language is the LANG for functions: Lambda's, if this machine has that locale. A minimal
// Debian does not have it. There the C library would fall back to ASCII. Java 11 and 17 would
// read and write text in ASCII, and all runtimes would name files and arguments in it.
func Language(ctx context.Context) string {
	ctx, cancel := context.WithTimeout(ctx, languageTimeout)
	defer cancel()
	// locale runs with the variables of a function. It loads the locale, and prints its
	// encoding.
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
