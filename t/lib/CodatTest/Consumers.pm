package CodatTest::Consumers;

# nginx with the consumer API, for tests of codat_consumers.
#
#     my $t = CodatTest::Consumers->new(allow => '127.0.0.1');
#     my $made = $t->call(POST => 'webhooks', { url => ..., eventTypes => [] });
#     is($t->{status}, 201);
#
# Locations: /hooks/ (the API, with the key's own one in it), /hook (webhooks,
# "Authorization: Bearer sesame"), /codat/ (the status API), @out.

use strict;
use warnings;

use CodatTest ();
use CodatTest::Nginx ();
use JSON::PP ();
use MIME::Base64 qw(encode_base64);

my $json = JSON::PP->new->utf8->canonical->allow_nonref;


# new(allow => parameters, api => directives of /hooks/, out => those of @out,
#     http, server, zone => its size, store => 'store=sqlite:...', and those of
#     CodatTest::Nginx)

sub new {
    my ($class, %opt) = @_;

    my $allow = defined $opt{allow} ? "allow=$opt{allow}" : '';
    my $store = $opt{store} // 'store=sqlite:{{prefix}}/codat.db';
    my $size = $opt{zone} // '2m';
    my $out = $opt{out} // 'proxy_pass http://127.0.0.1:1;';

    my $http = <<"EOC" . ($opt{http} // '');
        codat_zone zone=codat:$size $store;
        codat_credential bearer sesame;
EOC
    my $server = <<"EOC" . ($opt{server} // '');
        location = /hook  { codat_webhook zone=codat; }
        location /codat/  { codat_status zone=codat; }
        location /hooks/  {
            codat_consumers zone=codat deliver=\@out $allow;
            @{[$opt{api} // '']}
            location = /hooks/webhooks/integrationKeys/zapier {
                codat_consumers zone=codat;
            }
        }
        location \@out { resolver 127.0.0.1:1;
                         resolver_timeout 200ms; $out }
EOC

    my $nginx = CodatTest::Nginx->new(level => 'info', workers => 2, %opt,
        conf => { %{$opt{conf} // {}}, http => $http, server => $server })
        ->start;

    my $self = bless { nginx => $nginx }, $class;
    $self->rotate if $opt{key} // 1;

    return $self;
}


sub nginx { $_[0]{nginx} }


# a new integration key, which calls show from now on

sub rotate {
    my $self = shift;

    my $answer = $self->{nginx}->request('POST',
        '/hooks/webhooks/integrationKeys/zapier', {}, '');
    die 'no key: ', $answer->head, "\n" if $answer->status != 201;

    return $self->{key} = $answer->json->{key};
}


# call($method, $path, $body, %headers): what the answer's JSON says; its
# {status} is kept, and the whole {answer}.  A body that is no reference is
# sent as it is.

sub call {
    my ($self, $method, $path, $body, %headers) = @_;

    $headers{Authorization} = 'Basic ' . encode_base64($self->{key}, '')
        unless exists $headers{Authorization};
    delete $headers{Authorization} unless defined $headers{Authorization};
    $headers{'Content-Type'} //= 'application/json' if defined $body;
    $body = $json->encode($body) if ref $body;

    my $answer = $self->{nginx}->client(timeout => 20)->request($method,
        "/hooks/$path", \%headers, $body, close => 1)
        or die "no answer\n";

    @$self{qw(answer status)} = ($answer, $answer->status);

    return length $answer->body ? $json->decode($answer->body) : undef;
}


# create(%members): a consumer of all events

sub create {
    my ($self, %members) = @_;

    return $self->call(POST => 'webhooks',
        { url => 'https://hooks.example.com/x', eventTypes => ['*'],
          %members });
}


# an event is received

sub event {
    my ($self, $body, %headers) = @_;

    $body = $json->encode($body) if ref $body;

    return $self->{nginx}->request('POST', '/hook',
        { Authorization => 'Bearer sesame',
          'Content-Type' => 'application/json', %headers }, $body)->status;
}


1;
