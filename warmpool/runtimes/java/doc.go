// Package java holds the bootstrap of the Java runtimes: three jars, made by
// build.sh from the sources in src and committed, since functions run where there
// is only a JRE.
//
//	interfaces.jar  com.amazonaws.services.lambda.runtime
//	bootstrap.jar   the runtime
//	jackson.jar     Jackson (Apache License 2.0), by which events become objects
//	rehearsal.jar   a function that warms up a stem
//
// A function sees only the runtime's interfaces. As on Lambda it gets them from the
// runtime even if its jar has a copy of them. It may bring its own Jackson.
//
//	platform loader
//	 ├─ application loader   interfaces.jar, bootstrap.jar, jackson.jar
//	 └─ gate                 com.amazonaws.services.lambda.runtime.* of the application loader
//	     └─ function loader  /var/task, its jars, lib/*.jar, layers
//
// The runtime reads and writes objects as aws-lambda-java-serialization does: with its
// settings, and its names for the members of aws-lambda-java-events. Debian lacks
// Jackson's modules for java.time and Optional, so the runtime converts these types
// itself.
//
// A stem has loaded and run all of the runtime. With the init frame it gets the
// variables. Java can only change them through the map behind System.getenv;
// java.base is opened for that, and for the use of descriptors 3 and 4.
//
// The working directory of a process cannot be changed from Java. A stem starts in /,
// with user.dir as Lambda has it: java.nio resolves relative paths by it, streams of
// java.io do not.
//
// The classes of the runtime are in a class-data archive (AppCDS), made once for a
// JRE in the sandbox, where the jars have the paths that they will have; a JRE that
// does not take it starts without. Those of a function are in its start cache
// (Classes.java), a file that the function loader maps.
package java
