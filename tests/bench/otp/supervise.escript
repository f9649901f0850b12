#!/usr/bin/env escript
%%! +P 1000000
%% What `cargo xtask bench supervise` measures, of OTP's own supervisor: one_for_one with N static children. Start is from
%% the call to its answer, stop from the shutdown to the supervisor's end, a restart from the crash to the new child's
%% start, crashes one at a time, 2 ms apart. Run it as `escript tests/bench/otp/supervise.escript 100000 1000`.

-mode(compile).
-export([init/1, start_child/2, child/2]).

main([Children, Crashes]) ->
    N = list_to_integer(Children),
    Rounds = list_to_integer(Crashes),
    %% Reports would be what is measured.
    logger:set_primary_config(level, none),
    process_flag(trap_exit, true),
    Table = ets:new(children, [public, set]),
    Self = self(),
    {Start, {ok, Supervisor}} = timer:tc(fun() -> supervisor:start_link(?MODULE, {N, Self, Table}) end),
    io:format("start of ~b children: ~b ms~n", [N, Start div 1000]),
    {memory, Memory} = process_info(Supervisor, memory),
    io:format("memory of the supervisor alone: ~b bytes a child~n", [Memory div N]),
    drain(),
    Times = lists:sort([crash(Table, 1 + (Round * 7919) rem N) || Round <- lists:seq(1, Rounds)]),
    io:format("restart: p50 ~b us, p99 ~b us~n", [lists:nth(Rounds div 2, Times), lists:nth(Rounds * 99 div 100, Times)]),
    {Stop, ok} = timer:tc(fun() -> stop(Supervisor) end),
    io:format("ordered stop: ~b ms~n", [Stop div 1000]).

init({N, Observer, Table}) ->
    Child = fun(Id) -> #{id => Id, start => {?MODULE, start_child, [Id, {Observer, Table}]}, shutdown => 5000} end,
    %% The window is narrow: OTP walks through all restarts in it at each one.
    {ok, {#{strategy => one_for_one, intensity => 10000, period => 1}, [Child(Id) || Id <- lists:seq(1, N)]}}.

start_child(Id, Shared) ->
    proc_lib:start_link(?MODULE, child, [Id, Shared]).

child(Id, {Observer, Table}) ->
    Observer ! {up, Id, erlang:monotonic_time(microsecond)},
    ets:insert(Table, {Id, self()}),
    proc_lib:init_ack({ok, self()}),
    receive
        crash -> exit(crash)
    end.

crash(Table, Id) ->
    timer:sleep(2),
    [{Id, Pid}] = ets:lookup(Table, Id),
    Before = erlang:monotonic_time(microsecond),
    Pid ! crash,
    receive
        {up, Id, At} -> At - Before
    end.

stop(Supervisor) ->
    exit(Supervisor, shutdown),
    receive
        {'EXIT', Supervisor, shutdown} -> ok
    end.

drain() ->
    receive
        {up, _, _} -> drain()
    after 0 -> ok
    end.
