// Runs the health scripts of the chart as Argo CD does (its own Lua engine, no standard libraries) on objects that
// were recorded on a real cluster.
package argocd

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	lua "github.com/yuin/gopher-lua"
)

const (
	scripts  = "../../charts/longshore/files/argocd"
	recorded = "../../operator/tests/recorded"
)

// What Argo CD must say of each recorded object. kstatus' answers are tested in operator/tests/it/kstatus.rs.
var expected = map[string]string{
	"table-created":         "Progressing",
	"table-creating":        "Progressing",
	"table-claim-not-found": "Progressing",
	"table-ready":           "Healthy",
	"table-edited":          "Progressing",
	"table-refused":         "Degraded",
	"table-altering":        "Progressing",
	"loadjob-created":       "Progressing",
	"loadjob-pending":       "Progressing",
	"loadjob-loading":       "Progressing",
	"loadjob-finished":      "Healthy",
	"loadjob-cancelled":     "Degraded",
	"pipe-created":          "Progressing",
	"pipe-waiting":          "Progressing",
	"pipe-starting":         "Progressing",
	"pipe-ready":            "Healthy",
	"pipe-edited":           "Progressing",
	"pipe-stopping":         "Suspended",
	"pipe-suspended":        "Suspended",
	"pipe-overlapping":      "Degraded",
	"pipe-finished":         "Healthy",
	"pipe-files-in-error":   "Degraded",
}

func value(state *lua.LState, any interface{}) lua.LValue {
	switch it := any.(type) {
	case map[string]interface{}:
		table := state.NewTable()
		for key, item := range it {
			table.RawSetString(key, value(state, item))
		}
		return table
	case []interface{}:
		table := state.NewTable()
		for _, item := range it {
			table.Append(value(state, item))
		}
		return table
	case string:
		return lua.LString(it)
	case float64:
		return lua.LNumber(it)
	case bool:
		return lua.LBool(it)
	}
	return lua.LNil
}

func health(t *testing.T, object map[string]interface{}) (string, string) {
	t.Helper()
	script, err := os.ReadFile(filepath.Join(scripts, object["kind"].(string)+".lua"))
	if err != nil {
		t.Fatal(err)
	}
	state := lua.NewState(lua.Options{SkipOpenLibs: true})
	defer state.Close()
	// What Argo CD opens for a script that does not ask for more.
	for _, library := range []struct {
		name string
		open lua.LGFunction
	}{{lua.LoadLibName, lua.OpenPackage}, {lua.BaseLibName, lua.OpenBase}, {lua.TabLibName, lua.OpenTable}} {
		state.Push(state.NewFunction(library.open))
		state.Push(lua.LString(library.name))
		state.Call(1, 0)
	}
	state.SetGlobal("obj", value(state, object))
	if err := state.DoString(string(script)); err != nil {
		t.Fatal(err)
	}
	answer, ok := state.Get(-1).(*lua.LTable)
	if !ok {
		t.Fatalf("the script answers %v", state.Get(-1))
	}
	return answer.RawGetString("status").String(), answer.RawGetString("message").String()
}

func TestEachRecordedObjectHasItsHealth(t *testing.T) {
	files, err := filepath.Glob(filepath.Join(recorded, "*.json"))
	if err != nil || len(files) == 0 {
		t.Fatal("no recorded objects", err)
	}
	seen := map[string]bool{}
	for _, file := range files {
		name := strings.TrimSuffix(filepath.Base(file), ".json")
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		var object map[string]interface{}
		if err := json.Unmarshal(text, &object); err != nil {
			t.Fatal(file, err)
		}
		status, message := health(t, object)
		if status != expected[name] {
			t.Errorf("%s is %s (%s), expected %s", name, status, message, expected[name])
		}
		if message == "" {
			t.Errorf("%s says nothing", name)
		}
		seen[name] = true
	}
	for name := range expected {
		if !seen[name] {
			t.Errorf("%s is not recorded", name)
		}
	}
}

func TestAStatusOfAnOlderGenerationSaysNothing(t *testing.T) {
	for _, kind := range []string{"Table", "LoadJob", "Pipe"} {
		condition := map[string]interface{}{"type": "Ready", "status": "True", "reason": "R"}
		complete := map[string]interface{}{"type": "Complete", "status": "True", "reason": "R"}
		object := map[string]interface{}{
			"kind":     kind,
			"metadata": map[string]interface{}{"generation": 2.0},
			"status": map[string]interface{}{
				"observedGeneration": 1.0, "conditions": []interface{}{condition, complete},
			},
		}
		if status, _ := health(t, object); status != "Progressing" {
			t.Errorf("%s is %s", kind, status)
		}
		object["metadata"] = map[string]interface{}{"generation": 1.0}
		if status, _ := health(t, object); status != "Healthy" {
			t.Errorf("%s is %s", kind, status)
		}
	}
}
