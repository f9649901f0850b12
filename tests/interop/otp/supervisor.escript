#!/usr/bin/env escript
%%! +S 1:1
%% Runs scenarios on OTP's own supervisor and prints the history of each; ../README.md tells what they are and how a
%% history reads. The second line asks for one scheduler, and escript reads it nowhere else: so nothing runs while we
%% look whether everything has settled.
-module(supervisor_history).
-mode(compile).
-behaviour(supervisor).
-export([main/1, init/1, log/2, start_worker/2, start_instance/2, start_below/1, worker/3]).

-define(LIMIT, 10000).

main(Paths) ->
    ok = logger:remove_handler(default),
    ok = logger:add_handler(history, ?MODULE, #{}),
    1 = erlang:system_info(schedulers),
    process_flag(trap_exit, true),
    [run(Scenario) || Path <- Paths, Scenario <- read(Path)].

%% ---- the scenarios

read(Path) ->
    {ok, Text} = file:read_file(Path),
    Lines = [string:lexemes(Line, " ") || Line <- string:split(binary_to_list(Text), "\n", all)],
    scenarios([Line || Line <- Lines, Line =/= [], hd(hd(Line)) =/= $#], []).

scenarios([], Done) -> lists:reverse(Done);
scenarios([["scenario", Name] | Rest], Done) -> scenarios(Rest, [{Name, [], #{}, []} | Done]);
scenarios([[Word | _] | Rest], Done) when Word =:= "differs:"; Word =:= "otp:"; Word =:= "ours:" ->
    scenarios(Rest, Done);
scenarios([["supervisor", Name | Fields] | Rest], [{Scenario, Sups, Specs, Steps} | Done]) ->
    scenarios(Rest, [{Scenario, [{Name, fields(Fields)} | Sups], Specs, Steps} | Done]);
scenarios([[Word, Sup, Id | Fields] | Rest], [{Scenario, Sups, Specs, Steps} | Done])
  when Word =:= "child"; Word =:= "template"; Word =:= "spec" ->
    Spec = (fields(Fields))#{word => Word, sup => Sup, at => maps:size(Specs)},
    scenarios(Rest, [{Scenario, Sups, Specs#{Id => Spec}, Steps} | Done]);
scenarios([Step | Rest], [{Scenario, Sups, Specs, Steps} | Done]) ->
    scenarios(Rest, [{Scenario, Sups, Specs, Steps ++ [Step]} | Done]).

fields(Fields) ->
    maps:from_list([list_to_tuple(string:split(Field, "=")) || Field <- Fields]).

%% ---- one scenario

run({Name, Sups, Specs, Steps}) ->
    io:format("scenario ~s~n", [Name]),
    Before = processes(),
    persistent_term:put(scenario, {maps:from_list(Sups), Specs}),
    Recorder = spawn(fun() -> recorder(#{specs => Specs, lines => [], starts => #{}, pids => #{}, names => #{},
                                         held => #{}, watched => #{}}) end),
    register(recorder, Recorder),
    lists:foldl(fun(Step, Waiting) -> step(Step, Waiting, Before) end, none, Steps),
    Left = [Pid || Pid <- processes() -- Before, Pid =/= self()],
    [exit(Pid, kill) || Pid <- Left],
    [begin Ref = monitor(process, Pid), receive {'DOWN', Ref, _, _, _} -> ok end end || Pid <- Left],
    drain().

drain() -> receive _ -> drain() after 0 -> ok end.

step(Step, Waiting, Before) ->
    io:format("> ~s~n", [lists:join(" ", Step)]),
    {Result, StillWaiting} = act(Step, Waiting, Before),
    settle(Before, 0, erlang:monotonic_time(millisecond) + ?LIMIT),
    [io:format("~s~n", [Line]) || Line <- call(take)],
    case Result of none -> ok; _ -> io:format("= ~s~n", [Result]) end,
    StillWaiting.

act(["start"], Waiting, _) ->
    Result = case supervisor:start_link({local, root}, ?MODULE, "root") of
        {ok, _} -> "ok";
        {error, Reason} -> ["error ", start_error(Reason)]
    end,
    {Result, Waiting};
act(["exit", Id, Reason], Waiting, _) ->
    case {call({pid, Id}), Reason} of
        {undefined, _} -> none;
        {Pid, "killed"} -> exit(Pid, kill);
        {Pid, _} -> Pid ! {exit, term(Reason)}
    end,
    {none, Waiting};
act(["release", Id], Waiting, _) -> call({release, Id}), {none, Waiting};
act(["wait", Millis], Waiting, _) -> timer:sleep(list_to_integer(Millis)), {none, Waiting};
act(["async" | Call], none, Before) ->
    Asked = ask(Call),
    settle(Before, 0, erlang:monotonic_time(millisecond) + ?LIMIT),
    {none, Asked};
act(["await"], Asked, _) -> {answer(Asked), none};
act(Call, Waiting, _) -> {answer(ask(Call)), Waiting}.

ask(Call) ->
    Root = whereis(root),
    %% Only the parent may tell a supervisor to end, and that is this process.
    case {Call, Root} of {["stop"], Pid} when is_pid(Pid) -> exit(Pid, shutdown); _ -> ok end,
    Self = self(),
    Tag = make_ref(),
    spawn(fun() -> Self ! {Tag, try do(Call, Root) catch exit:_ -> "error gone" end} end),
    Tag.

answer(Tag) ->
    receive {Tag, Result} -> Result after ?LIMIT -> "never answered" end.

do(["stop"], undefined) -> "gone";
do(["stop"], Root) ->
    Ref = monitor(process, Root),
    receive {'DOWN', Ref, _, _, _} -> "ok" end;
do(["start_child", Sup, Id], _) ->
    {Sups, Specs} = persistent_term:get(scenario),
    Argument = case is_simple(Sup, Sups) of true -> [Id]; false -> spec(Id, maps:get(Id, Specs)) end,
    case supervisor:start_child(list_to_atom(Sup), Argument) of
        {ok, undefined} -> "ok -";
        {ok, Pid} -> ["ok ", call({name, Pid})];
        {error, already_present} -> "error already_present";
        {error, {already_started, Pid}} -> ["error already_started ", call({name, Pid})];
        {error, {Reason, Child}} when is_tuple(Child), element(1, Child) =:= child -> ["error failed ", reason(Reason)];
        {error, boom} -> "error failed boom";
        {error, _} -> "error spec"
    end;
do(["restart_child", Sup, Id], _) ->
    case supervisor:restart_child(list_to_atom(Sup), key(Sup, Id)) of
        {ok, undefined} -> "ok -";
        {ok, Pid} -> ["ok ", call({name, Pid})];
        {error, Reason} when Reason =:= running; Reason =:= restarting; Reason =:= not_found;
                             Reason =:= simple_one_for_one -> ["error ", atom_to_list(Reason)];
        {error, Reason} -> ["error failed ", reason(Reason)]
    end;
do(["delete_child", Sup, Id], _) -> plain(supervisor:delete_child(list_to_atom(Sup), key(Sup, Id)));
do(["terminate_child", Sup, Id], _) -> plain(supervisor:terminate_child(list_to_atom(Sup), key(Sup, Id)));
do(["terminate_id", Sup, Id], _) -> plain(supervisor:terminate_child(list_to_atom(Sup), Id));
do(["which_children", Sup], _) ->
    {Sups, _} = persistent_term:get(scenario),
    Rows = [row(Id, Child, Type) || {Id, Child, Type, _} <- supervisor:which_children(list_to_atom(Sup))],
    lists:join(" ", ["children" | case is_simple(Sup, Sups) of true -> lists:sort(Rows); false -> Rows end]);
do(["count_children", Sup], _) ->
    Counts = supervisor:count_children(list_to_atom(Sup)),
    lists:join(" ", [io_lib:format("~s=~b", [Key, proplists:get_value(Key, Counts)])
                     || Key <- [specs, active, supervisors, workers]]);
do(["get_childspec", Sup, Id], _) ->
    case supervisor:get_childspec(list_to_atom(Sup), key(Sup, Id)) of
        {ok, #{restart := Restart, shutdown := Shutdown, significant := Significant, type := Type}} ->
            io_lib:format("~p ~p ~p ~p", [Restart, Shutdown, Significant, Type]);
        {error, not_found} -> "error not_found"
    end.

plain(ok) -> "ok";
plain({error, Reason}) -> ["error ", atom_to_list(Reason)].

row(Id, Child, Type) ->
    Shown = case Child of undefined -> "-"; restarting -> "restarting"; Pid -> call({name, Pid}) end,
    lists:flatten([case Id of undefined -> "-"; _ -> Id end, "=", Shown, "/", atom_to_list(Type)]).

%% Children of a template are named by their process, the others by their id.
key(Sup, Id) ->
    {Sups, _} = persistent_term:get(scenario),
    case is_simple(Sup, Sups) of true -> call({pid, Id}); false -> Id end.

is_simple(Sup, Sups) -> maps:get("strategy", maps:get(Sup, Sups), "") =:= "simple_one_for_one".

%% Everything has settled when every process of the scenario waits for something, and still does after some turns: one
%% that is going is listed no more, and may take some turns to tell those who watch it.
settle(_, 20, _) -> ok;
settle(Before, Times, Until) ->
    erlang:yield(),
    IsWaiting = fun(Pid) ->
        case process_info(Pid, status) of {status, waiting} -> true; undefined -> true; _ -> false end
    end,
    case lists:all(IsWaiting, (processes() -- Before) -- [self()]) of
        true -> settle(Before, Times + 1, Until);
        false ->
            case erlang:monotonic_time(millisecond) > Until of
                true -> io:format("never settled~n");
                false -> settle(Before, 0, Until)
            end
    end.

%% ---- supervisors and their children

init(Name) ->
    {Sups, Specs} = persistent_term:get(scenario),
    Flags = maps:get(Name, Sups),
    call({supervisor, Name, self()}),
    Own = lists:sort(fun({_, A}, {_, B}) -> maps:get(at, A) =< maps:get(at, B) end,
                     [{Id, Spec} || {Id, #{sup := Sup, word := Word} = Spec} <- maps:to_list(Specs),
                                    Sup =:= Name, Word =/= "spec"]),
    {ok, {#{strategy => atom("strategy", Flags, one_for_one),
            intensity => number("intensity", Flags, 1),
            period => number("period", Flags, 5),
            auto_shutdown => atom("auto_shutdown", Flags, never)},
          [spec(Id, Spec) || {Id, Spec} <- Own]}}.

spec(Id, #{sup := Sup, word := Word} = Fields) ->
    Type = atom("type", Fields, worker),
    Start = case {Type, Word} of
        {supervisor, _} -> {?MODULE, start_below, [Id]};
        {worker, "template"} -> {?MODULE, start_instance, [Sup]};
        {worker, _} -> {?MODULE, start_worker, [Sup, Id]}
    end,
    Given = [{Key, Value} || {Key, Value} <- [{restart, atom("restart", Fields, none)},
                                              {shutdown, shutdown(maps:get("shutdown", Fields, none))},
                                              {significant, atom("significant", Fields, none)}], Value =/= none],
    maps:from_list([{id, Id}, {start, Start}, {type, Type} | Given]).

shutdown(none) -> none;
shutdown("infinity") -> infinity;
shutdown("brutal_kill") -> brutal_kill;
shutdown(Millis) -> list_to_integer(Millis).

atom(Key, Fields, Default) ->
    case Fields of #{Key := Value} -> list_to_atom(Value); _ -> Default end.

number(Key, Fields, Default) ->
    case Fields of #{Key := Value} -> list_to_integer(Value); _ -> Default end.

start_below(Name) -> supervisor:start_link({local, list_to_atom(Name)}, ?MODULE, Name).

start_instance(Sup, Id) -> start_worker(Sup, Id).

start_worker(_Sup, Id) ->
    {Name, Outcome} = call({start, Id}),
    case Outcome of
        "ok" ->
            {_, Specs} = persistent_term:get(scenario),
            Asked = maps:get("asked", maps:get(Id, Specs, #{}), "ok"),
            proc_lib:start_link(?MODULE, worker, [Id, Name, Asked]);
        "error" -> call({line, Id, ["failed ", Name]}), {error, boom};
        "ignore" -> call({line, Id, ["declined ", Name]}), ignore
    end.

worker(Id, Name, Asked) ->
    process_flag(trap_exit, true),
    call({up, Id, Name, self()}),
    proc_lib:init_ack({ok, self()}),
    receive
        {exit, Reason} -> exit(Reason);
        {'EXIT', _, shutdown} ->
            call({line, Id, ["asked ", Name]}),
            case Asked of
                "ok" -> exit(shutdown);
                "ignore" -> receive after infinity -> ok end;
                "slow:" ++ Millis -> timer:sleep(list_to_integer(Millis)), exit(shutdown);
                Reason -> exit(term(Reason))
            end
    end.

%% ---- what is written down

log(#{msg := {report, #{label := {supervisor, _}, report := Report}}}, _) ->
    [Name, Context, Reason, Offender] =
        [proplists:get_value(Key, Report) || Key <- [supervisor, errorContext, reason, offender]],
    {local, Sup} = Name,
    Id = case proplists:get_value(id, Offender) of undefined -> "-"; Known -> Known end,
    call({report, io_lib:format("report ~s ~s ~s ~s", [Sup, Context, reason(Reason), Id])});
log(_, _) -> ok.

term("shutdown:" ++ Why) -> {shutdown, list_to_atom(Why)};
term(Reason) -> list_to_atom(Reason).

reason({shutdown, {failed_to_start_child, Id, Reason}}) -> ["failed_to_start_child ", Id, " ", reason(Reason)];
reason({shutdown, Why}) -> ["shutdown:", atom_to_list(Why)];
reason(Reason) when is_atom(Reason) -> atom_to_list(Reason);
%% A crash of OTP's own code: its stack is left out.
reason(Reason) when is_tuple(Reason), is_atom(element(1, Reason)) -> atom_to_list(element(1, Reason));
reason(Reason) -> io_lib:format("~0p", [Reason]).

start_error({shutdown, _} = Reason) -> reason(Reason);
start_error({start_spec, {duplicate_child_name, Id}}) -> ["duplicate ", Id];
start_error(_) -> "spec".

call(Request) ->
    Ref = monitor(process, recorder),
    recorder ! {Ref, self(), Request},
    receive
        {Ref, Answer} -> demonitor(Ref, [flush]), Answer;
        {'DOWN', Ref, _, _, _} -> exit(normal)
    end.

recorder(State) ->
    receive
        {'DOWN', _, process, Pid, Reason} -> recorder(gone(Pid, Reason, State));
        {Ref, From, Request} ->
            case handle(Request, {Ref, From}, ends(State)) of
                {held, New} -> recorder(New);
                {Answer, New} -> From ! {Ref, Answer}, recorder(New)
            end
    end.

%% Whoever asks may have heard of an end of which we are told a moment later.
ends(#{watched := Watched} = State) ->
    case lists:all(fun is_process_alive/1, maps:keys(Watched)) of
        true -> State;
        false -> receive {'DOWN', _, process, Pid, Reason} -> ends(gone(Pid, Reason, State)) end
    end.

gone(Pid, Reason, #{watched := Watched} = State) ->
    {{Kind, Id, Name}, Left} = maps:take(Pid, Watched),
    New = State#{watched := Left},
    case {Kind, Reason} of
        {worker, _} -> line(Id, ["end ", Name, " ", reason(Reason)], New);
        %% Its setup was refused: there was no supervisor yet.
        {supervisor, {start_spec, _}} -> New;
        {supervisor, _} -> line(Id, ["ended ", Name, " ", reason(Reason)], New)
    end.

handle({start, Id}, From, #{held := Held} = State) ->
    {Number, Name, New} = count(Id, State),
    Begun = line(Id, ["start ", Name], New),
    case outcome(Id, Number, State) of
        "hold:" ++ Outcome -> {held, Begun#{held := Held#{Id => {From, {Name, Outcome}}}}};
        Outcome -> {{Name, Outcome}, Begun}
    end;
handle({release, Id}, _, #{held := Held} = State) ->
    {{Ref, From}, Answer} = maps:get(Id, Held),
    From ! {Ref, Answer},
    {ok, State#{held := maps:remove(Id, Held)}};
handle({up, Id, Name, Pid}, _, State) -> {ok, watch(worker, Id, Name, Pid, State)};
handle({supervisor, "root", Pid}, _, State) -> {ok, watch(supervisor, "root", "root", Pid, State)};
handle({supervisor, Id, Pid}, _, State) ->
    {_, Name, New} = count(Id, State),
    {ok, watch(supervisor, Id, Name, Pid, line(Id, ["start ", Name], New))};
handle({line, Id, Line}, _, State) -> {ok, line(Id, Line, State)};
handle({report, Line}, _, #{lines := Lines} = State) -> {ok, State#{lines := [Line | Lines]}};
handle({pid, Id}, _, #{pids := Pids} = State) -> {maps:get(Id, Pids, undefined), State};
handle({name, Pid}, _, #{names := Names} = State) -> {maps:get(Pid, Names), State};
handle(take, _, #{lines := Lines} = State) -> {lists:reverse(Lines), State#{lines := []}}.

count(Id, #{starts := Starts} = State) ->
    Number = maps:get(Id, Starts, 0) + 1,
    {Number, [Id, "#", integer_to_list(Number)], State#{starts := Starts#{Id => Number}}}.

outcome(Id, Number, #{specs := Specs}) ->
    Outcomes = string:split(maps:get("start", maps:get(Id, Specs, #{}), "ok"), ",", all),
    lists:nth(min(Number, length(Outcomes)), Outcomes).

watch(Kind, Id, Name, Pid, #{watched := Watched, pids := Pids, names := Names} = State) ->
    monitor(process, Pid),
    State#{watched := Watched#{Pid => {Kind, Id, Name}}, pids := Pids#{Id => Pid}, names := Names#{Pid => Name}}.

%% Instances of a template have no order among themselves: their lines are marked.
line(Id, Line, #{lines := Lines, specs := Specs} = State) ->
    {Sups, _} = persistent_term:get(scenario),
    Mark = case Specs of
        #{Id := #{sup := Sup}} -> case is_simple(Sup, Sups) of true -> "~ "; false -> "" end;
        _ -> ""
    end,
    State#{lines := [[Mark, Line] | Lines]}.
