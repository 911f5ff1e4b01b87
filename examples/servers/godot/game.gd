# Roll call: whoever connects says a name and hears the how manieth they are; "?" instead asks how many have
# answered. When the last one has left, the game is over and the server with it: one match for each process.
extends Node

var _players = {}  # StreamPeerTCP -> what they have sent of their line, or null once they have a name.
var _answered = 0
var _listener = TCP_Server.new()


func _ready():
	var port = int(OS.get_environment("PORT"))
	var error = _listener.listen(port)
	if error != OK:
		print("game: cannot listen on port %d: error %d" % [port, error])
		get_tree().quit(1)
		return
	$Agones.connect("ready_said", self, "_on_ready_said", [port])
	$Agones.connect("allocated", self, "_on_allocated")
	$Agones.say_ready()


func _on_ready_said(port):
	print("game: ready on port %d" % port)


func _on_allocated(game_server):
	print("game: a match begins: %s" % to_json(game_server["object_meta"]["labels"]))


func _process(_delta):
	if _listener.is_connection_available():
		_players[_listener.take_connection()] = ""
	for player in _players.keys():
		_hear(player)


func _hear(player):
	if player.get_status() != StreamPeerTCP.STATUS_CONNECTED:
		_players.erase(player)
		if _answered > 0 and _players.empty():
			print("game: over, %d have answered" % _answered)
			_answered = 0
			$Agones.say_shutdown()
		return
	var count = player.get_available_bytes()
	if count <= 0 or _players[player] == null:
		return
	_players[player] += player.get_utf8_string(count)
	var line = _players[player].split("\n")
	if line.size() < 2:
		return
	_players[player] = null
	if line[0] == "?":
		player.put_data(("%d\n" % _answered).to_utf8())
		return
	_answered += 1
	player.put_data(("hello %s, you are number %d\n" % [line[0], _answered]).to_utf8())
