# The Agones SDK over its REST API, as any Godot 3 game may have it. It knows nothing of Muster.
extends Node

signal ready_said
signal allocated(game_server)

const HEALTH_SECONDS = 1.0
const WATCH_SECONDS = 0.2

var _port = int(OS.get_environment("AGONES_SDK_HTTP_PORT"))
var _is_allocated = false


func _ready():
	if _port == 0:
		push_error("AGONES_SDK_HTTP_PORT is not set: nobody to be told that this server is ready")
		get_tree().quit(1)
		return
	_repeat(HEALTH_SECONDS, "health")
	_repeat(WATCH_SECONDS, "_look")


func say_ready():
	var answer = yield(_ask(HTTPClient.METHOD_POST, "/ready"), "completed")
	if answer == null:
		get_tree().quit(1)
		return
	emit_signal("ready_said")


func say_shutdown():
	yield(_ask(HTTPClient.METHOD_POST, "/shutdown"), "completed")


func health():
	yield(_ask(HTTPClient.METHOD_POST, "/health"), "completed")


func _look():
	var game_server = yield(_ask(HTTPClient.METHOD_GET, "/gameserver"), "completed")
	if game_server == null or game_server.get("status") == null:
		return
	var now = game_server["status"]["state"] == "Allocated"
	if now and not _is_allocated:
		emit_signal("allocated", game_server)
	_is_allocated = now


func _repeat(seconds, method):
	var timer = Timer.new()
	timer.wait_time = seconds
	timer.autostart = true
	timer.connect("timeout", self, method)
	add_child(timer)


# The answer's JSON; null if there is none, which is also printed.
func _ask(method, path):
	var request = HTTPRequest.new()
	add_child(request)
	var body = "" if method == HTTPClient.METHOD_GET else "{}"
	var error = request.request("http://127.0.0.1:%d%s" % [_port, path],
			["Content-Type: application/json"], false, method, body)
	var result = [error, 0, [], PoolByteArray()]
	if error == OK:
		result = yield(request, "request_completed")
	else:
		yield(get_tree(), "idle_frame")  # So that "completed" comes in this case too.
	request.queue_free()
	if result[0] != HTTPRequest.RESULT_SUCCESS or result[1] != 200:
		print("agones: %s failed: result %d, status %d" % [path, result[0], result[1]])
		return null
	return JSON.parse(result[3].get_string_from_utf8()).result
