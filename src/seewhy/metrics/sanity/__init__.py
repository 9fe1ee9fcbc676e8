"""Does a map depend on what it should depend on: the network's weights, its labels, the class; and on nothing else?"""
