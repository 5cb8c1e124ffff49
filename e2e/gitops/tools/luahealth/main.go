// Command luahealth prints what Argo CD makes of an object by a health check in Lua:
//
//	luahealth SCRIPT <OBJECT.json
//
// The script gets the object as obj and returns a table with status and message, in
// the interpreter that Argo CD has.
package main

import (
	"encoding/json"
	"fmt"
	"io"
	"os"

	lua "github.com/yuin/gopher-lua"
)

func main() {
	if err := run(os.Args[1:], os.Stdin, os.Stdout); err != nil {
		fmt.Fprintf(os.Stderr, "luahealth: %v\n", err)
		os.Exit(1)
	}
}

func run(args []string, stdin io.Reader, stdout io.Writer) error {
	if len(args) != 1 {
		return fmt.Errorf("usage: luahealth SCRIPT <OBJECT.json")
	}
	var object any
	if err := json.NewDecoder(stdin).Decode(&object); err != nil {
		return fmt.Errorf("read the object: %w", err)
	}
	state := lua.NewState()
	defer state.Close()
	state.SetGlobal("obj", valueOf(state, object))
	if err := state.DoFile(args[0]); err != nil {
		return fmt.Errorf("run the check: %w", err)
	}
	health, ok := state.Get(-1).(*lua.LTable)
	if !ok {
		return fmt.Errorf("the check returns a %s, and no table", state.Get(-1).Type())
	}
	fmt.Fprintf(stdout, "%s: %s\n", health.RawGetString("status"), health.RawGetString("message"))
	return nil
}

// valueOf returns what JSON has as Lua has it.
func valueOf(state *lua.LState, v any) lua.LValue {
	switch v := v.(type) {
	case string:
		return lua.LString(v)
	case float64:
		return lua.LNumber(v)
	case bool:
		return lua.LBool(v)
	case []any:
		table := state.NewTable()
		for _, item := range v {
			table.Append(valueOf(state, item))
		}
		return table
	case map[string]any:
		table := state.NewTable()
		for key, item := range v {
			table.RawSetString(key, valueOf(state, item))
		}
		return table
	}
	return lua.LNil
}
