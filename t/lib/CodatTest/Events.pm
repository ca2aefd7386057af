package CodatTest::Events;

# One endpoint, and the application behind it, for tests of what an event
# becomes.  It starts with the first event.
#
#     use CodatTest::Events;
#
#     is_deeply(event($body, %headers), { ... });
#     events_done();

use strict;
use warnings;

use CodatTest ();
use CodatTest::Nginx ();
use CodatTest::Upstream ();
use JSON::PP ();
use Test::More ();

my $json = JSON::PP->new->utf8->canonical;
my ($app, $nginx, $client);

sub import {
    no strict 'refs';
    *{caller() . "::$_"} = \&$_ for qw(event events_done);
}


sub start {
    $app = CodatTest::Upstream->new(answer => { status => 200 });

    $nginx = CodatTest::Nginx->new(conf => {
        http => 'codat_zone zone=codat:1m dedupe=off;'
            . 'codat_credential bearer sesame;',
        server => <<"EOC" })->start;
            location = /hook {
                codat_webhook zone=codat;
                codat_forward * /app;
            }
            location /app { internal; proxy_pass http://@{[$app->address]}; }
EOC

    $client = $nginx->client;
}


# event($body, %headers): what the application gets of a body (bytes, or what
# is to be encoded): "data" without "payload".  The answer, if it was refused
# or not forwarded.

sub event {
    my ($body, %headers) = @_;

    start() unless $nginx;
    $body = $json->encode($body) if ref $body;

    my $response = $client->request('POST', '/hook',
        { Authorization => 'Bearer sesame',
          'Content-Type' => 'application/json', %headers }, $body)
        // die $client->error;

    my ($request) = $app->requests;
    $app->reset;

    return { status => $response->status, said => $response->body }
        unless $response->status == 200 && $request;

    my $event = $request->json;
    my $data = $event->{data};

    Test::More::is(delete($data->{payload}) ? $request->{body} =~
                   /"payload":\Q$body\E\}\}\z/ : '', 1, 'payload as sent');
    Test::More::is($event->{type}, "io.codat.$data->{eventType}",
                   'both types agree');
    Test::More::is($response->json->{type}, $data->{eventType},
                   'and the answer');
    Test::More::is($event->{id}, $response->json->{id}, 'id')
        if $response->json->{id};

    return $data;
}


# events_done(): nothing bad was logged, all processes ended well

sub events_done {
    $client->close;

    Test::More::ok($nginx->stop, 'nginx ends in time');
    CodatTest::no_bad_log($nginx);
    Test::More::unlike($nginx->error_log, qr/\[(error|warn)\]/,
                       'no error, no warning');
    Test::More::done_testing();
}


1;
