// Package ruby holds the bootstrap of the Ruby runtimes, which behaves as
// https://github.com/aws/aws-lambda-ruby-runtime-interface-client does towards a
// function: handlers are file.method and file.Class.method, called with event and
// context; the types of errors say where they come from ("Function<RuntimeError>").
//
// A stem has loaded Ruby's JSON and logger. It reads the folders of gems again when it
// gets the function's variables.
//
// After an error that is not a StandardError, and after a NameError, the process ends,
// as Lambda's does.
package ruby
